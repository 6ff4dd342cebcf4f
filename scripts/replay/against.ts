/** @file What this tree makes beside what another commit made: the same cases in both, each by its own code. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { checkOut } from "./checkout.ts";
import { recordingIn, textOf } from "./recording.ts";

/** A case that the trees make differently. */
export interface Difference {
  readonly name: string;
  readonly structure: boolean;
  readonly bytes: boolean;
  /** The first lines that differ. */
  readonly diff: string;
}

export interface Comparison {
  readonly compared: number;
  readonly differences: readonly Difference[];
  /** Cases that one tree alone has. */
  readonly onlyHere: readonly string[];
  readonly onlyThere: readonly string[];
}

const script = "scripts/replay.ts";

/** @throws Error when the commit is unknown or has no replay, and when the cases do not run in one of the trees. */
export async function compareWith(root: string, commit: string, only: string): Promise<Comparison> {
  const other = checkOut(root, commit);
  try {
    if (!existsSync(join(other.root, script))) throw new Error(`${commit} is from before ${script}`);
    const [here, there] = [join(other.home, "here"), join(other.home, "there")];
    await Promise.all([recorded(root, here, only), recorded(other.root, there, only)]);
    return compareRecordings(here, there);
  } finally {
    other.remove();
  }
}

async function recorded(root: string, folder: string, only: string): Promise<void> {
  const args = ["--import", "./scripts/typescript.mjs", script, "--record", folder, "--only", only];
  const child = spawn(process.execPath, args, { cwd: root, stdio: ["ignore", "inherit", "inherit"] });
  process.once("exit", () => void child.kill("SIGKILL"));
  const [code] = await once(child, "exit");
  if (code !== 0) throw new Error(`the cases did not run in ${root}`);
}

/** The cases that both folders have, and those that one has alone. */
export function compareRecordings(here: string, there: string): Comparison {
  const [own, other] = [recordingIn(here), recordingIn(there)];
  const positions = new Map(other.map(({ name }, j) => [name, j]));
  const names = new Set(own.map(({ name }) => name));
  const differences = own.flatMap(({ name, ...digests }, i): Difference[] => {
    const j = positions.get(name);
    if (j === undefined) return [];
    const [structure, bytes] = (["structure", "bytes"] as const).map((part) => digests[part] !== other[j]![part]);
    if (!structure && !bytes) return [];
    const part = structure ? "structure" : "bytes";
    const diff = diffOf(there, textOf(there, j, part), textOf(here, i, part));
    return [{ name, structure: structure!, bytes: bytes!, diff }];
  });
  return {
    compared: own.filter(({ name }) => positions.has(name)).length,
    differences,
    onlyHere: [...names].filter((name) => !positions.has(name)),
    onlyThere: [...positions.keys()].filter((name) => !names.has(name)),
  };
}

const LINES = 40;
const WIDTH = 160;

/** The first lines of a unified diff of two texts, which are written into the folder for it. */
function diffOf(folder: string, before: string, after: string): string {
  const files = Object.entries({ before, after }).map(([name, text]) => {
    writeFileSync(join(folder, name), broken(text));
    return join(folder, name);
  });
  const args = ["diff", "--no-index", "--no-color", "--unified=1", "--", ...files];
  const { stdout } = spawnSync("git", args, { encoding: "utf8", maxBuffer: 2 ** 28 });
  const lines = stdout.trimEnd().split("\n").slice(4);
  const shown = lines.slice(0, LINES).map((line) => (line.length > WIDTH ? `${line.slice(0, WIDTH)}…` : line));
  return [...shown, ...(lines.length > LINES ? [`… ${lines.length - LINES} lines more`] : [])].join("\n");
}

/** Signatures and lists of attributes stand on one line, of which a difference shows too much. */
function broken(text: string): string {
  const lines = text.split("\n");
  return lines.map((line) => (line.length > WIDTH ? line.replaceAll(", ", ",\n      ") : line)).join("\n");
}
