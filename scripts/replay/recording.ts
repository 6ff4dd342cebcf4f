/** @file What the cases of one tree have made, as files that another process compares. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { digestOf } from "../../test/golden/replay/telling.ts";

/** Everything that a case made, as text. */
export interface Texts {
  readonly structure: string;
  readonly bytes: string;
}

/** Name and digests of a case. */
export interface Recorded extends Texts {
  readonly name: string;
}

const index = (folder: string): string => join(folder, "cases.json");
const textFile = (folder: string, position: number, part: keyof Texts): string => join(folder, `${position}.${part}`);

/** Adds cases one by one; `end` writes what `recordingIn` reads. */
export function startRecording(folder: string) {
  mkdirSync(folder, { recursive: true });
  const recording: Recorded[] = [];
  return {
    add(name: string, { structure, bytes }: Texts): void {
      writeFileSync(textFile(folder, recording.length, "structure"), structure);
      writeFileSync(textFile(folder, recording.length, "bytes"), bytes);
      recording.push({ name, structure: digestOf(structure), bytes: digestOf(bytes) });
    },
    end: (): void => writeFileSync(index(folder), JSON.stringify(recording)),
  };
}

export function recordingIn(folder: string): readonly Recorded[] {
  return JSON.parse(readFileSync(index(folder), "utf8"));
}

export function textOf(folder: string, position: number, part: keyof Texts): string {
  return readFileSync(textFile(folder, position, part), "utf8");
}
