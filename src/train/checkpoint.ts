/**
 * @file Checkpoints: `state-<step>.safetensors` and `checkpoint.json`, which names it. The JSON is replaced last and
 * atomically, so that at every moment the folder holds one whole checkpoint. Node only.
 */
import { createHash } from "node:crypto";
import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { writeAtomically } from "../atomic-file.ts";
import { encodeSafetensors, readSafetensors } from "../data/index.ts";
import { FormatError, UsageError } from "../errors.ts";
import { bytesOfTensor, printModel, type Tensor } from "../ir/index.ts";
import type { Evaluation } from "./events.ts";
import type { TrainingStep } from "./step.ts";

const evaluation = z.strictObject({
  epoch: z.number(),
  update: z.number(),
  metrics: z.record(z.string(), z.number().nullable()),
});

const schema = z.strictObject({
  version: z.literal(1),
  /** Of everything that decides how the run goes on. */
  fingerprint: z.string(),
  /** Batches done. */
  step: z.number().int().nonnegative(),
  state: z.string().regex(/^state-\d+\.safetensors$/),
  sha256: z.string(),
  evaluations: z.array(evaluation),
  /** Position of the best among them. */
  best: z.number().int().nonnegative().nullable(),
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
    version: 1,
    fingerprint,
    step,
    state: name,
    sha256: sha256(bytes),
    evaluations: [...evaluations],
    best: best ?? null,
  };
  const path = join(folder, "checkpoint.json");
  await writeAtomically(path, `${JSON.stringify(facts, undefined, 2)}\n`);
  for (const file of await readdir(folder)) {
    if (/^state-\d+\.safetensors$/.test(file) && file !== name) await rm(join(folder, file), { force: true });
  }
  return path;
}

/**
 * The checkpoint in a folder, or `undefined` when there is none.
 *
 * @throws UsageError when it belongs to another run, FormatError when it is damaged.
 */
export async function loadCheckpoint(
  folder: string,
  fingerprint: string,
  step: TrainingStep,
): Promise<Checkpoint | undefined> {
  const path = join(folder, "checkpoint.json");
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (text === undefined) return undefined;
  const facts = parseFacts(text, path);
  if (facts.fingerprint !== fingerprint) {
    throw new UsageError("the checkpoint belongs to a run with another model, data or settings", {
      where: path,
      hint: "Resume with what it was started with, or choose another folder.",
    });
  }
  const bytes = await readFile(join(folder, facts.state));
  if (sha256(bytes) !== facts.sha256) throw new FormatError("the checkpoint's state is damaged", { where: path });
  const { tensors } = readSafetensors(bytes, facts.state);
  const state = new Map(step.state.map(({ name, initial }) => [name, fitting(tensors.get(name), initial, name, path)]));
  const evaluations = facts.evaluations.map((item) => ({ ...item, metrics: withNaN(item.metrics) }));
  return { step: facts.step, evaluations, best: facts.best ?? undefined, state };
}

/** Writes the parameters of the best evaluation. */
export async function saveBest(folder: string, tensors: ReadonlyMap<string, Tensor>): Promise<void> {
  await writeAtomically(join(folder, "best.safetensors"), encodeSafetensors(tensors));
}

export async function loadBest(folder: string): Promise<ReadonlyMap<string, Tensor>> {
  return readSafetensors(await readFile(join(folder, "best.safetensors")), "best.safetensors").tensors;
}

function parseFacts(text: string, where: string): CheckpointFacts {
  try {
    return schema.parse(JSON.parse(text));
  } catch (cause) {
    throw new FormatError("the checkpoint is malformed", { where, cause });
  }
}

/** JSON has no NaN and writes null. */
function withNaN(metrics: Readonly<Record<string, number | null>>): Record<string, number> {
  return Object.fromEntries(Object.entries(metrics).map(([name, value]) => [name, value ?? Number.NaN]));
}

/** A tensor with its own memory, of the dtype and dims that the state has. */
function fitting(tensor: Tensor | undefined, initial: Tensor, name: string, where: string): Tensor {
  const fits = tensor?.dtype === initial.dtype && `${tensor.dims}` === `${initial.dims}`;
  if (!tensor || !fits) throw new FormatError(`the checkpoint lacks the state ${JSON.stringify(name)}`, { where });
  return { ...tensor, data: bytesOfTensor(tensor).slice() };
}

function sha256(data: string | Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}
