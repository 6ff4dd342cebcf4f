/** @file The folder of a run: `run.json` (what was asked), `events.jsonl` (what happened), `kept/` (finished parts). Node only. */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { appendText, removeLeftovers, writeAtomically } from "../atomic-file.ts";
import { FormatError, UsageError } from "../errors.ts";
import { isMissing, lookAt, makeFolders, namesIn, readBytes, readText, remove, removeEmpty } from "../file-system.ts";
import { type FolderLock, lockFolder } from "../folder-lock.ts";

/** A part of the work that need not be done again: facts as JSON, and bytes if it made a file. */
export interface KeptPart {
  readonly facts: unknown;
  readonly bytes?: Uint8Array;
}

/** Locked against other processes until it is disposed of. */
export interface RunFolder extends AsyncDisposable {
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

/** Of `run.json`. */
const VERSION = 1;

/** What serves to resume: finished parts, and the checkpoints of a training. */
const resumable = ["kept", "checkpoints"] as const;

/** Files that speak of a run as a whole. */
const reports = ["report.json", "report.html"];

/**
 * Opens the folder of a run. `config` is all that the result depends on: with `resume`, parts kept by a run of the same
 * configuration are used again; another configuration is an error, and without `resume` they are dropped,
 * and with them the reports of the earlier run, which would speak of another. Files that are no part of a run are never touched, but
 * for temporary ones of writers that were ended.
 *
 * @throws UsageError for another configuration, for a folder that holds something else, and while another process works in it;
 * FormatError when what is to be resumed is damaged
 */
export async function openRunFolder(path: string, config: object, { resume = false } = {}): Promise<RunFolder> {
  const isNew = (await lookAt(path)) === undefined;
  const lock = await lockFolder(path);
  try {
    const id = createHash("sha256").update(JSON.stringify(config)).digest("hex");
    const earlier = await readRecord(path);
    await checkEarlier(path, id, earlier, resume);
    for (const folder of [path, ...resumable.map((name) => join(path, name))]) {
      await removeLeftovers(folder, { locked: true });
    }
    if (!resume) await dropEarlier(path, earlier !== undefined);
    await makeFolders(join(path, "kept"));
    const record = { version: VERSION, id, config };
    await writeAtomically(join(path, "run.json"), `${JSON.stringify(record, null, 2)}\n`);
    const isResumed = resume && earlier !== undefined;
    return { ...operations(path, isResumed), [Symbol.asyncDispose]: () => closed(path, lock) };
  } catch (error) {
    await lock.release();
    if (isNew) await removeEmpty(path);
    throw error;
  }
}

async function closed(path: string, lock: FolderLock): Promise<void> {
  await lock.release();
  await removeEmpty(path);
}

function operations(path: string, isResumed: boolean): Omit<RunFolder, typeof Symbol.asyncDispose> {
  const kept = join(path, "kept");
  const events = join(path, "events.jsonl");
  const began = Date.now();
  return {
    path,
    record: (event) => appendText(events, `${JSON.stringify({ t: Date.now() - began, ...event })}\n`),
    load: (key) => loadPart(join(kept, fileName(key))),
    keep: (key, part) => keepPart(join(kept, fileName(key)), part),
    async write(name, contents) {
      const file = join(path, name);
      await writeAtomically(file, contents);
      return file;
    },
    finish: () => remove(kept),
    abandon: async () => {
      if (!isResumed) await abandon(path);
    },
  };
}

async function checkEarlier(path: string, id: string, earlier: RunRecord | undefined, resume: boolean): Promise<void> {
  if (earlier === undefined) {
    for (const name of resumable) {
      if ((await lookAt(join(path, name))) === undefined) continue;
      throw new UsageError("the folder holds something else than a run", {
        expected: "run.json",
        where: join(path, name),
        hint: "Name another --out.",
      });
    }
    return;
  }
  if (!resume || earlier.id === id) return;
  throw new UsageError("the run to resume was started with another configuration", {
    where: path,
    hint: "Use the same model, data and options, or start anew without --resume.",
  });
}

async function dropEarlier(path: string, isRun: boolean): Promise<void> {
  await remove(join(path, "events.jsonl"));
  for (const name of isRun ? [...resumable, ...reports] : []) await remove(join(path, name));
}

async function abandon(path: string): Promise<void> {
  for (const name of resumable) if ((await namesIn(join(path, name))).length > 0) return;
  for (const name of [...resumable, "events.jsonl", "run.json"]) await remove(join(path, name));
}

interface RunRecord {
  readonly id: string;
}

/** What `run.json` says; `undefined` when there is none. */
async function readRecord(path: string): Promise<RunRecord | undefined> {
  const file = join(path, "run.json");
  let text: string;
  try {
    text = await readText(file);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
  const { version = VERSION, id } = parsedRecord(text);
  if (typeof id !== "string" || typeof version !== "number") {
    throw new FormatError("the record of the run is damaged", {
      where: file,
      hint: "Name another --out, or remove the file.",
    });
  }
  if (version === VERSION) return { id };
  throw new FormatError("the run was written by another version of lithe", {
    expected: `version ${VERSION}`,
    got: `version ${version}`,
    where: file,
    hint: "Name another --out, or resume it with that version.",
  });
}

function parsedRecord(text: string): { readonly version?: unknown; readonly id?: unknown } {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    return {};
  }
}

/** The facts are written last: a part whose facts can be read is whole. Infinity is written as `null`, which no fact is. */
async function keepPart(stem: string, { facts, bytes }: KeptPart): Promise<void> {
  if (bytes) await writeAtomically(`${stem}.bin`, bytes);
  await writeAtomically(`${stem}.json`, JSON.stringify({ facts, hasBytes: bytes !== undefined }));
}

async function loadPart(stem: string): Promise<KeptPart | undefined> {
  try {
    const { facts, hasBytes } = JSON.parse(await readText(`${stem}.json`), finite) as {
      facts: unknown;
      hasBytes: boolean;
    };
    return hasBytes ? { facts, bytes: await readBytes(`${stem}.bin`, Number.POSITIVE_INFINITY) } : { facts };
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
