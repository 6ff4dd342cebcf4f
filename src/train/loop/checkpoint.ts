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
import { lockFolder } from "../../folder-lock.ts";
import { printModel, type Tensor } from "../../ir/index.ts";
import type { AlgorithmState, AlgorithmStates } from "../algorithms/algorithm-state.ts";
import type { TrainingStep } from "../step/step.ts";
import type { Checkpoint, Checkpoints, RunProgress } from "./checkpoints.ts";
import { checkFinite, fitting, owned } from "./stored-tensor.ts";

const VERSION = 1;

const count = z.int().nonnegative();

const evaluation = z.strictObject({
  epoch: count,
  update: count,
  metrics: z.record(z.string(), z.number().nullable()),
});

const keptByAlgorithm = z.strictObject({ values: z.json().optional(), tensors: z.array(z.string()) });

type KeptFacts = z.infer<typeof keptByAlgorithm>;

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
  /** What algorithms keep, by their names; absent where none keeps anything. */
  algorithms: z.record(z.string(), keptByAlgorithm).optional(),
});

export type CheckpointFacts = z.infer<typeof schema>;

/** A digest of the step's graph and of the settings that the data order and the schedule follow from. */
export function fingerprintOf(step: TrainingStep, settings: Readonly<Record<string, unknown>>): string {
  const described = step.state.map(({ name, kind, initial }) => [name, kind, initial.dtype, initial.dims]);
  return sha256(JSON.stringify([printModel(step.model), described, settings]));
}

export async function saveCheckpoint(
  folder: string,
  fingerprint: string,
  { step, evaluations, best, algorithms }: RunProgress,
  state: ReadonlyMap<string, Tensor>,
): Promise<string> {
  const kept = keptFacts(algorithms);
  const bytes = encodeSafetensors(new Map([...state, ...keptTensors(algorithms, state)]));
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
    ...(kept && { algorithms: kept }),
  };
  const path = join(folder, "checkpoint.json");
  await writeAtomically(path, `${JSON.stringify(facts, undefined, 2)}\n`);
  for (const file of await namesIn(folder)) if (isState(file) && file !== name) await remove(join(folder, file));
  return path;
}

/** @throws UsageError for values that JSON does not give back. */
function keptFacts(algorithms: AlgorithmStates): CheckpointFacts["algorithms"] {
  if (algorithms.size === 0) return undefined;
  const facts = [...algorithms].map(([name, { values, tensors }]): [string, KeptFacts] => {
    const { data, error } = z.json().optional().safeParse(values);
    if (error) {
      throw new UsageError("an algorithm keeps values that JSON does not give back", {
        expected: "finite numbers, text, lists and objects",
        where: `algorithm ${name}`,
        hint: "Keep other numbers in tensors.",
      });
    }
    return [name, { ...(data !== undefined && { values: data }), tensors: [...(tensors?.keys() ?? [])] }];
  });
  return Object.fromEntries(facts);
}

function* keptTensors(
  algorithms: AlgorithmStates,
  state: ReadonlyMap<string, Tensor>,
): Generator<readonly [string, Tensor]> {
  for (const [name, { tensors = [] }] of algorithms) {
    for (const [key, tensor] of tensors) {
      const stored = storedName(name, key);
      if (state.has(stored)) throw new UsageError("the state of the step has a tensor of this name", { got: stored });
      yield [stored, tensor];
    }
  }
}

/** The name of an algorithm's tensor among those of a checkpoint. */
function storedName(algorithm: string, key: string): string {
  return `algorithm/${algorithm}/${key}`;
}

function isState(name: string): boolean {
  return /^state-\d+\.safetensors$/.test(name);
}

/** What a run writes checkpoints of, and resumes from. */
export interface CheckpointedRun {
  readonly step: TrainingStep;
  /** What else than the step decides how the run goes on. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Batches of the whole run. */
  readonly steps: number;
  /** The algorithms of the run that keep something. */
  readonly algorithms: readonly string[];
}

/** Keeps others out of the folder, and takes away what writers that were ended left in it. */
export async function openCheckpoints(folder: string, run: CheckpointedRun): Promise<Checkpoints> {
  const fingerprint = fingerprintOf(run.step, run.settings);
  const lock = await lockFolder(folder);
  const release = (): Promise<void> => lock.release();
  try {
    await removeLeftovers(folder, { locked: true });
  } catch (error) {
    await release();
    throw error;
  }
  return {
    folder,
    load: () => loadCheckpoint(folder, { ...run, fingerprint }),
    save: (progress, state) => saveCheckpoint(folder, fingerprint, progress, state),
    [Symbol.asyncDispose]: release,
  };
}

/** What a checkpoint has to fit. */
export interface Resumed extends Omit<CheckpointedRun, "settings"> {
  readonly fingerprint: string;
}

/**
 * The checkpoint in a folder, or `undefined` when there is none.
 *
 * @throws UsageError when it belongs to another run, FormatError when it is damaged, incomplete or of another version.
 */
export async function loadCheckpoint(
  folder: string,
  { fingerprint, step, steps, algorithms }: Resumed,
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
  checkAlgorithms(facts, algorithms, path);
  const bytes = await readBytes(join(folder, facts.state), Number.POSITIVE_INFINITY);
  if (sha256(bytes) !== facts.sha256) throw new FormatError("the checkpoint's state is damaged", { where: path });
  const where = join(folder, facts.state);
  const { tensors } = readSafetensors(bytes, facts.state);
  const kept = keptIn(facts, tensors, where);
  const state = stateOf(tensors, step, { where, kept });
  const evaluations = facts.evaluations.map((item) => ({ ...item, metrics: withNaN(item.metrics) }));
  return { step: facts.step, evaluations, best: facts.best ?? undefined, state, algorithms: kept };
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

function checkAlgorithms({ algorithms = {} }: CheckpointFacts, names: readonly string[], where: string): void {
  const [expected, got] = [Object.keys(algorithms), names].map((list) => [...list].sort().join(", "));
  if (expected === got) return;
  throw new UsageError("the checkpoint belongs to a run with other algorithms", {
    expected: expected || "none that keeps a state",
    got: got || "none that keeps a state",
    where,
    hint: "Resume with what it was started with, or choose another folder.",
  });
}

function keptIn(
  { algorithms = {} }: CheckpointFacts,
  stored: ReadonlyMap<string, Tensor>,
  where: string,
): AlgorithmStates {
  const states = Object.entries(algorithms).map(([name, { values, tensors }]): [string, AlgorithmState] => {
    const own = tensors.map((key): [string, Tensor] => {
      const at = storedName(name, key);
      return [key, owned(stored.get(at), at, where)];
    });
    return [name, { ...(values !== undefined && { values }), ...(own.length > 0 && { tensors: new Map(own) }) }];
  });
  return new Map(states);
}

interface Stored {
  readonly where: string;
  readonly kept: AlgorithmStates;
}

function stateOf(
  tensors: ReadonlyMap<string, Tensor>,
  { state }: TrainingStep,
  { where, kept }: Stored,
): ReadonlyMap<string, Tensor> {
  const names = new Set(state.map(({ name }) => name));
  for (const [name, own] of kept) for (const key of own.tensors?.keys() ?? []) names.add(storedName(name, key));
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

/** JSON has no NaN and writes null. */
function withNaN(metrics: Readonly<Record<string, number | null>>): Record<string, number> {
  return Object.fromEntries(Object.entries(metrics).map(([name, value]) => [name, value ?? Number.NaN]));
}

function sha256(data: string | Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}
