/** @file Runs the cases of this tree. */
import { families } from "../../test/golden/replay/families/index.ts";
import { pretrained } from "../../test/golden/replay/families/pretrained.ts";
import { casesOf } from "../../test/golden/replay/replay.ts";
import { bytesOf, structureOf } from "../../test/golden/replay/telling.ts";
import { startRecording } from "./recording.ts";

/** What the cases make whose names contain `only`, pretrained models included. */
export async function record(folder: string, only: string): Promise<void> {
  const all = Object.entries({ ...families, pretrained }).flatMap(([family, cases]) => casesOf(family, cases));
  const recording = startRecording(folder);
  for (const [name, make] of all.filter(([name]) => name.includes(only))) {
    const made = await make();
    recording.add(name, { structure: structureOf(made), bytes: bytesOf(made) });
  }
  recording.end();
}
