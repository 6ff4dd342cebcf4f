/** @file The folder of a run: `run.json` (what was asked), `events.jsonl` (what happened), `kept/` (finished parts). Node only. */
import { createHash } from "node:crypto";
import { access, appendFile, mkdir, readdir, readFile, rm, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { writeAtomically } from "../atomic-file.ts";
import { UsageError } from "../errors.ts";

/** A part of the work that need not be done again: facts as JSON, and bytes if it made a file. */
export interface KeptPart {
  readonly facts: unknown;
  readonly bytes?: Uint8Array;
}

export interface RunFolder {
  readonly path: string;
  /** Adds one event with the time since the run began. */
  record(event: object): Promise<void>;
  /** A part that an earlier, interrupted run of the same configuration has finished. */
  load(key: string): Promise<KeptPart | undefined>;
  keep(key: string, part: KeptPart): Promise<void>;
  /** Writes a file of the run, such as the report, and returns its path. */
  write(name: string, contents: string | Uint8Array): Promise<string>;
  /** Drops the finished parts, which only serve to resume. */
  finish(): Promise<void>;
  /** After a failure: takes away what this run has written unless parts of it are finished and can be resumed. */
  abandon(): Promise<void>;
}

/**
 * Opens the folder of a run. `config` is all that the result depends on: with `resume`, parts kept by a run of the same
 * configuration are used again; another configuration is an error, and without `resume` they are dropped,
 * and with them the reports of the earlier run, which would speak of another. Files that are no part of a run are never touched.
 */
export async function openRunFolder(path: string, config: object, { resume = false } = {}): Promise<RunFolder> {
  const text = JSON.stringify(config);
  const id = createHash("sha256").update(text).digest("hex");
  const earlier = await readConfig(path);
  if (resume && earlier !== undefined && earlier !== id) {
    throw new UsageError("the run to resume was started with another configuration", {
      where: path,
      hint: "Use the same model, data and options, or start anew without --resume.",
    });
  }
  const kept = join(path, "kept");
  const events = join(path, "events.jsonl");
  if (earlier === undefined && (await exists(kept))) {
    throw new UsageError("the folder holds something else than a run", { where: kept, hint: "Name another --out." });
  }
  if (!resume) {
    await rm(kept, { recursive: true, force: true });
    await rm(events, { force: true });
  }
  if (!resume && earlier !== undefined) {
    for (const name of reports) await rm(join(path, name), { force: true });
  }
  await mkdir(kept, { recursive: true });
  await writeAtomically(join(path, "run.json"), `${JSON.stringify({ id, config }, null, 2)}\n`);
  const began = Date.now();
  return {
    path,
    record: (event) => appendFile(events, `${JSON.stringify({ t: Date.now() - began, ...event })}\n`),
    load: (key) => loadPart(join(kept, fileName(key))),
    keep: (key, part) => keepPart(join(kept, fileName(key)), part),
    async write(name, contents) {
      const file = join(path, name);
      await writeAtomically(file, contents);
      return file;
    },
    finish: () => rm(kept, { recursive: true, force: true }),
    abandon: () => abandon(path),
  };
}

/** Files that speak of a run as a whole. */
const reports = ["report.json", "report.html"];

async function abandon(path: string): Promise<void> {
  const kept = join(path, "kept");
  const parts = await readdir(kept).catch(() => []);
  if (parts.length > 0) return;
  for (const name of ["kept", "events.jsonl", "run.json"]) await rm(join(path, name), { recursive: true, force: true });
  await rmdir(path).catch(() => undefined); // Other files may stand there.
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

async function readConfig(path: string): Promise<string | undefined> {
  try {
    const { id } = JSON.parse(await readFile(join(path, "run.json"), "utf8")) as { id?: unknown };
    return typeof id === "string" ? id : "";
  } catch {
    return undefined;
  }
}

/** The facts are written last: a part whose facts can be read is whole. Infinity is written as `null`, which no fact is. */
async function keepPart(stem: string, { facts, bytes }: KeptPart): Promise<void> {
  if (bytes) await writeAtomically(`${stem}.bin`, bytes);
  await writeAtomically(`${stem}.json`, JSON.stringify({ facts, hasBytes: bytes !== undefined }));
}

async function loadPart(stem: string): Promise<KeptPart | undefined> {
  try {
    const { facts, hasBytes } = JSON.parse(await readFile(`${stem}.json`, "utf8"), finite) as {
      facts: unknown;
      hasBytes: boolean;
    };
    return hasBytes ? { facts, bytes: await readFile(`${stem}.bin`) } : { facts };
  } catch {
    return undefined;
  }
}

function finite(_: string, value: unknown): unknown {
  return value === null ? Number.POSITIVE_INFINITY : value;
}

/** Keys are free text; a digest makes a file name of them. */
function fileName(key: string): string {
  return createHash("sha256").update(key).digest("hex").slice(0, 24);
}
