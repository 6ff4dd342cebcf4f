/**
 * @file Checkpoints: `state-<step>.safetensors` and `checkpoint.json`, which names it. The JSON is replaced last and
 * atomically, so that at every moment the folder holds one whole checkpoint. Node only.
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { z } from "zod";
import { removeLeftovers, writeAtomically } from "../../atomic-file.ts";
import { encodeSafetensors, readSafetensors } from "../../data/index.ts";
import { FormatError, UsageError } from "../../errors.ts";
import { isMissing, namesIn, readBytes, readText, remove } from "../../file-system.ts";
import { type FolderLock, lockFolder } from "../../folder-lock.ts";
import { bytesOfTensor, dataTypes, floatsOf, formatType, printModel, type Tensor, tensorType } from "../../ir/index.ts";
import type { TrainingStep } from "../step/step.ts";
import type { Evaluation } from "./events.ts";

const VERSION = 1;

const count = z.int().nonnegative();

const evaluation = z.strictObject({
  epoch: count,
  update: count,
  metrics: z.record(z.string(), z.number().nullable()),
});

const schema = z.strictObject({
  version: z.literal(VERSION),
  /** Of everything that decides how the run goes on. */
  fingerprint: z.string(),
  /** Batches done. */
  step: count,
  state: z.string().regex(/^state-\d+\.safetensors$/),
  sha256: z.string(),
  evaluations: z.array(evaluation),
  /** Position of the best among them. */
  best: count.nullable(),
});

export type CheckpointFacts = z.infer<typeof schema>;

export interface Progress {
  readonly step: number;
  readonly evaluations: readonly Evaluation[];
  readonly best: number | undefined;
}

export interface Checkpoint extends Progress {
  readonly state: ReadonlyMap<string, Tensor>;
}

/** A digest of the step's graph and of the settings that the data order and the schedule follow from. */
export function fingerprintOf(step: TrainingStep, settings: Readonly<Record<string, unknown>>): string {
  const described = step.state.map(({ name, kind, initial }) => [name, kind, initial.dtype, initial.dims]);
  return sha256(JSON.stringify([printModel(step.model), described, settings]));
}

export async function saveCheckpoint(
  folder: string,
  fingerprint: string,
  { step, evaluations, best }: Progress,
  state: ReadonlyMap<string, Tensor>,
): Promise<string> {
  const bytes = encodeSafetensors(state);
  const name = `state-${step}.safetensors`;
  await writeAtomically(join(folder, name), bytes);
  const facts: CheckpointFacts = {
    version: VERSION,
    fingerprint,
    step,
    state: name,
    sha256: sha256(bytes),
    evaluations: [...evaluations],
    best: best ?? null,
  };
  const path = join(folder, "checkpoint.json");
  await writeAtomically(path, `${JSON.stringify(facts, undefined, 2)}\n`);
  for (const file of await namesIn(folder)) if (isState(file) && file !== name) await remove(join(folder, file));
  return path;
}

function isState(name: string): boolean {
  return /^state-\d+\.safetensors$/.test(name);
}

/** Keeps others out of the folder, and takes away what writers that were ended left in it. */
export async function lockCheckpoints(folder: string): Promise<FolderLock> {
  const lock = await lockFolder(folder);
  await removeLeftovers(folder, { locked: true });
  return lock;
}

/** What a checkpoint has to fit. */
export interface Resumed {
  readonly fingerprint: string;
  readonly step: TrainingStep;
  /** Batches of the whole run. */
  readonly steps: number;
  /** Whether the parameters of the best evaluation will be handed out. */
  readonly restoresBest: boolean;
}

/**
 * The checkpoint in a folder, or `undefined` when there is none.
 *
 * @throws UsageError when it belongs to another run, FormatError when it is damaged, incomplete or of another version.
 */
export async function loadCheckpoint(
  folder: string,
  { fingerprint, step, steps, restoresBest }: Resumed,
): Promise<Checkpoint | undefined> {
  const path = join(folder, "checkpoint.json");
  const text = await factsIn(folder, path);
  if (text === undefined) return undefined;
  const facts = parseFacts(text, path);
  if (facts.fingerprint !== fingerprint) {
    throw new UsageError("the checkpoint belongs to a run with another model, data or settings", {
      where: path,
      hint: "Resume with what it was started with, or choose another folder.",
    });
  }
  checkFacts(facts, steps, path);
  const bytes = await readBytes(join(folder, facts.state), Number.POSITIVE_INFINITY);
  if (sha256(bytes) !== facts.sha256) throw new FormatError("the checkpoint's state is damaged", { where: path });
  const state = stateOf(readSafetensors(bytes, facts.state).tensors, step, join(folder, facts.state));
  if (restoresBest && facts.best !== null) checkBest(await loadBest(folder), step, folder);
  const evaluations = facts.evaluations.map((item) => ({ ...item, metrics: withNaN(item.metrics) }));
  return { step: facts.step, evaluations, best: facts.best ?? undefined, state };
}

/** Writes the parameters of the best evaluation. */
export async function saveBest(folder: string, tensors: ReadonlyMap<string, Tensor>): Promise<void> {
  await writeAtomically(join(folder, "best.safetensors"), encodeSafetensors(tensors));
}

export async function loadBest(folder: string): Promise<ReadonlyMap<string, Tensor>> {
  const bytes = await readBytes(join(folder, "best.safetensors"), Number.POSITIVE_INFINITY);
  return readSafetensors(bytes, "best.safetensors").tensors;
}

async function factsIn(folder: string, path: string): Promise<string | undefined> {
  try {
    return await readText(path);
  } catch (error) {
    if (!isMissing(error)) throw error;
    const state = (await namesIn(folder)).find(isState);
    if (state === undefined) return undefined;
    throw new FormatError("the folder has the state of a checkpoint but not what belongs to it", {
      expected: "checkpoint.json",
      got: JSON.stringify(state),
      where: folder,
      hint: "Start anew, without resuming.",
    });
  }
}

function parseFacts(text: string, where: string): CheckpointFacts {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new FormatError("the checkpoint is no JSON", {
      got: text === "" ? "an empty file" : "damaged text",
      where,
      cause,
    });
  }
  const version = typeof value === "object" && value !== null && "version" in value ? value.version : undefined;
  if (version !== VERSION) {
    throw new FormatError("the checkpoint is of another version", {
      expected: `version ${VERSION}`,
      got: JSON.stringify(version) ?? "none",
      where,
      hint: "Start anew, or resume with the lithe that wrote it.",
    });
  }
  const { data, error } = schema.safeParse(value);
  if (data) return data;
  const [issue] = error.issues;
  throw new FormatError("the checkpoint is malformed", {
    got: `${issue?.path.join(".") ?? ""}: ${issue?.message ?? ""}`,
    where,
    cause: error,
  });
}

/** Facts that no run of so many steps can have written. */
function checkFacts({ step, state, evaluations, best }: CheckpointFacts, steps: number, where: string): void {
  const impossible = (expected: string, got: string) =>
    new FormatError("the checkpoint says what no run can have written", { expected, got, where });
  if (step > steps) throw impossible(`a step up to ${steps}`, `${step}`);
  if (state !== `state-${step}.safetensors`) throw impossible(`the state of step ${step}`, JSON.stringify(state));
  const late = evaluations.find(({ update }) => update > step);
  if (late) throw impossible(`evaluations up to step ${step}`, `one after update ${late.update}`);
  if (best !== null && best >= evaluations.length) {
    throw impossible(`the best of ${evaluations.length} evaluations`, `number ${best}`);
  }
}

function stateOf(
  tensors: ReadonlyMap<string, Tensor>,
  { state }: TrainingStep,
  where: string,
): ReadonlyMap<string, Tensor> {
  const names = new Set(state.map(({ name }) => name));
  const unknown = [...tensors.keys()].find((name) => !names.has(name));
  if (unknown !== undefined) {
    throw new FormatError("the checkpoint holds a state that the run does not have", {
      got: JSON.stringify(unknown),
      where,
    });
  }
  return new Map(
    state.map(({ name, kind, initial }) => {
      const tensor = fitting(tensors.get(name), initial, name, where);
      if (kind === "parameter") checkFinite(tensor, name, where);
      return [name, tensor];
    }),
  );
}

function checkBest(tensors: ReadonlyMap<string, Tensor>, { state }: TrainingStep, folder: string): void {
  const where = join(folder, "best.safetensors");
  for (const { kind, of, initial } of state) {
    if (kind === "parameter" && of !== undefined) checkFinite(fitting(tensors.get(of), initial, of, where), of, where);
  }
}

function checkFinite(tensor: Tensor, name: string, where: string): void {
  if (dataTypes[tensor.dtype].kind !== "float") return;
  const wrong = floatsOf(tensor).find((value) => !Number.isFinite(value));
  if (wrong === undefined) return;
  throw new FormatError("the checkpoint holds a parameter that is not finite", {
    got: `${wrong} in ${JSON.stringify(name)}`,
    where,
  });
}

/** JSON has no NaN and writes null. */
function withNaN(metrics: Readonly<Record<string, number | null>>): Record<string, number> {
  return Object.fromEntries(Object.entries(metrics).map(([name, value]) => [name, value ?? Number.NaN]));
}

/** A tensor with its own memory, of the dtype and dims that the state has. */
function fitting(tensor: Tensor | undefined, initial: Tensor, name: string, where: string): Tensor {
  if (!tensor) throw new FormatError(`the checkpoint lacks the state ${JSON.stringify(name)}`, { where });
  const [expected, got] = [initial, tensor].map(({ dtype, dims }) => formatType(tensorType(dtype, dims)));
  if (got !== expected) {
    throw new FormatError(`the checkpoint's state ${JSON.stringify(name)} has another form`, {
      expected: expected!,
      got: got!,
      where,
    });
  }
  return { ...tensor, data: bytesOfTensor(tensor).slice() };
}

function sha256(data: string | Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}
