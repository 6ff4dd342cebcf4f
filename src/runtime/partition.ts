/** @file A model cut into parts that several ranks run together: plain data, which any transport can carry out. */
import { InvalidModelError } from "../errors.ts";
import {
  type DataType,
  fedInputs,
  formatType,
  type Model,
  type Tensor,
  tensor,
  typedArray,
  type Value,
} from "../ir/index.ts";
import { type Kernel, openKernel } from "./xnor/kernel.ts";
import type { SignLayer } from "./xnor/layer.ts";
import { signLayer } from "./xnor/run-layer.ts";

/**
 * Every rank that has a part runs it. A part's inputs are named after the tensors that its rank holds, its outputs are
 * held from then on.
 */
export interface RunStep {
  readonly kind: "run";
  /** By rank. */
  readonly parts: readonly (Model | undefined)[];
}

/**
 * Every rank of `to` holds, under the name `value`, the sum of the tensors that the ranks of `from` hold under it, added
 * in the order of `from`. All to all is an all-reduce, one to all a broadcast.
 */
export interface SumStep {
  readonly kind: "sum";
  readonly value: string;
  readonly dtype: DataType;
  readonly from: readonly number[];
  readonly to: readonly number[];
}

/** Rank 0 holds, under the name `output`, what a layer of signs makes of the float32 tensor that it holds under `input`. */
export interface SignStep {
  readonly kind: "signs";
  readonly input: string;
  readonly output: string;
  readonly layer: SignLayer;
}

export type Step = RunStep | SumStep | SignStep;

/** In the beginning every rank holds the inputs; in the end rank 0 holds the outputs. */
export interface Partition {
  /** The number of ranks. */
  readonly size: number;
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  readonly steps: readonly Step[];
}

/** Dtypes that can be added up between ranks. Tensors of any other can only be broadcast. */
export const summable = ["float32", "float64", "int32"] as const satisfies readonly DataType[];

export type Summable = (typeof summable)[number];

export function isSummable(dtype: DataType): dtype is Summable {
  return (summable as readonly DataType[]).includes(dtype);
}

/** Fails where a rank would need a tensor that it does not hold, or a sum cannot be formed. */
export function checkPartition({ size, inputs, outputs, steps }: Partition): void {
  const names = inputs.map(({ name }) => name);
  const held = Array.from({ length: size }, () => new Set(names));
  steps.forEach((step, index) => {
    if (step.kind === "run") checkRun(step, held, index);
    else if (step.kind === "signs") checkSigns(step, held, index);
    else checkSum(step, held, index);
  });
  for (const { name } of outputs) need(held, 0, name, "the end");
}

function checkRun({ parts }: RunStep, held: readonly Set<string>[], index: number): void {
  if (parts.length !== held.length) {
    throw new InvalidModelError("a step has not one part for each rank", {
      expected: `${held.length}`,
      got: `${parts.length}`,
      where: `step ${index}`,
    });
  }
  parts.forEach((part, rank) => {
    if (!part) return;
    for (const { name } of fedInputs(part.graph)) need(held, rank, name, `step ${index}`);
    for (const { name } of part.graph.outputs) held[rank]!.add(name);
  });
}

function checkSigns({ input, output }: SignStep, held: readonly Set<string>[], index: number): void {
  need(held, 0, input, `step ${index}, a layer of signs`);
  held[0]?.add(output);
}

function checkSum({ value, dtype, from, to }: SumStep, held: readonly Set<string>[], index: number): void {
  const where = `step ${index}, the sum of ${JSON.stringify(value)}`;
  if (from.length === 0) throw new InvalidModelError("a sum has no terms", { where });
  if (from.length > 1 && !isSummable(dtype)) {
    throw new InvalidModelError("tensors of this dtype cannot be added up between ranks", {
      expected: summable.join(", "),
      got: formatType({ kind: "tensor", dtype }),
      where,
    });
  }
  for (const rank of from) need(held, rank, value, where);
  for (const rank of to) {
    if (!held[rank]) throw new InvalidModelError("there is no such rank", { got: `${rank}`, where });
    held[rank].add(value);
  }
}

function need(held: readonly Set<string>[], rank: number, name: string, where: string): void {
  if (held[rank]?.has(name)) return;
  throw new InvalidModelError("a rank needs a tensor that it does not hold", {
    got: JSON.stringify(name),
    where: `rank ${rank}, ${where}`,
  });
}

/** Runs one part. */
export type RunPart = (
  part: Model,
  feeds: ReadonlyMap<string, Tensor>,
) => ReadonlyMap<string, Tensor> | Promise<ReadonlyMap<string, Tensor>>;

/** Carries out a partition rank by rank in one thread: what every transport has to agree with. */
export async function runPartition(
  partition: Partition,
  feeds: ReadonlyMap<string, Tensor>,
  run: RunPart,
): Promise<Map<string, Tensor>> {
  checkPartition(partition);
  const held = Array.from({ length: partition.size }, () => new Map(feeds));
  const kernel = partition.steps.some(({ kind }) => kind === "signs") ? openKernel() : undefined;
  for (const step of partition.steps) {
    if (step.kind === "run") await runParts(step, held, run);
    else if (step.kind === "signs") runSigns(step, held[0]!, kernel!);
    else {
      const total = step.from.map((rank) => held[rank]!.get(step.value)!).reduce(add);
      for (const rank of step.to) held[rank]!.set(step.value, total);
    }
  }
  return new Map(partition.outputs.map(({ name }) => [name, held[0]!.get(name)!]));
}

function runSigns({ input, output, layer }: SignStep, held: Map<string, Tensor>, kernel: Kernel): void {
  const x = held.get(input)!;
  const { dims, data } = signLayer(kernel, layer)(typedArray(x) as Float32Array, x.dims);
  held.set(output, tensor("float32", dims, data));
}

async function runParts({ parts }: RunStep, held: readonly Map<string, Tensor>[], run: RunPart): Promise<void> {
  for (const [rank, part] of parts.entries()) {
    if (!part) continue;
    const feeds = fedInputs(part.graph).map(({ name }) => [name, held[rank]!.get(name)!] as const);
    for (const [name, value] of await run(part, new Map(feeds))) held[rank]!.set(name, value);
  }
}

function add(a: Tensor, b: Tensor): Tensor {
  const left = typedArray(a) as Float64Array;
  const right = typedArray(b) as Float64Array;
  return tensor(
    a.dtype,
    a.dims,
    left.map((value, i) => value + right[i]!),
  );
}
