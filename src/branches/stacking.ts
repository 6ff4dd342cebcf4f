/** @file Which parameters of a fused model hold which of the unrolled one, and the ways there and back. */
import { atLeast, nth } from "../checked.ts";
import { InvalidModelError, ShapeError } from "../errors.ts";
import { bytesOfTensor, editModel, isSparse, type Model, sizeOf, type Tensor } from "../ir/index.ts";

/** One parameter of a fused model that holds one of each branch. */
export interface StackedParameter {
  readonly name: string;
  /** Names in the unrolled model, branch by branch. */
  readonly parts: readonly string[];
  /** Dims of each part. */
  readonly dims: readonly number[];
  /** The axis of the parts along which they lie one after another. */
  readonly axis: number;
}

const KEY = "lithe.stacked";

/** What `fuseBranches` stacked in this model, in the order in which it did. It travels in the model's metadata. */
export function stackedParameters(model: Model): readonly StackedParameter[] {
  const text = model.metadata.get(KEY);
  if (text === undefined) return [];
  const list: unknown = parsed(text);
  if (Array.isArray(list) && list.every(isStackedParameter)) return list;
  throw unreadable(text);
}

export function withStacked(model: Model, stacked: readonly StackedParameter[]): Model {
  if (stacked.length === 0) return model;
  const list = [...stackedParameters(model), ...stacked];
  return { ...model, metadata: new Map([...model.metadata, [KEY, JSON.stringify(list)]]) };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw unreadable(text);
  }
}

function unreadable(text: string): InvalidModelError {
  return new InvalidModelError("the record of stacked parameters cannot be read", {
    expected: "a list of { name, parts, dims, axis }",
    got: text.slice(0, 80),
    where: `metadata "${KEY}"`,
  });
}

function isStackedParameter(item: unknown): item is StackedParameter {
  if (typeof item !== "object" || item === null) return false;
  const { name, parts, dims, axis } = item as Partial<Record<keyof StackedParameter, unknown>>;
  const isList = (list: unknown, type: string): list is unknown[] =>
    Array.isArray(list) && list.every((entry) => typeof entry === type);
  return (
    typeof name === "string" &&
    isList(parts, "string") &&
    parts.length > 0 &&
    isList(dims, "number") &&
    typeof axis === "number" &&
    axis >= 0 &&
    axis <= dims.length
  );
}

/** Tensors by name with those of the branches in the place of the stacked ones; the rest stays. */
export function splitStacked(
  tensors: ReadonlyMap<string, Tensor>,
  stacked: readonly StackedParameter[],
): Map<string, Tensor> {
  const result = new Map(tensors);
  for (const entry of stacked.toReversed()) {
    const whole = result.get(entry.name);
    if (!whole) continue;
    result.delete(entry.name);
    splitTensor(whole, entry).forEach((part, b) => void result.set(nth(entry.parts, b), part));
  }
  return result;
}

/** The reverse of `splitStacked`; a stacked tensor is made where all of its parts are given. */
export function joinStacked(
  tensors: ReadonlyMap<string, Tensor>,
  stacked: readonly StackedParameter[],
): Map<string, Tensor> {
  const result = new Map(tensors);
  for (const { name, parts, axis } of stacked) {
    const found = parts.map((part) => result.get(part));
    if (!found.every((tensor) => tensor !== undefined)) continue;
    for (const part of parts) result.delete(part);
    result.set(name, joinTensors(found, axis));
  }
  return result;
}

/**
 * The unrolled model with the parameters of a fused one, which may have been trained since.
 * @param unrolled the model that was fused.
 */
export function unfuseBranches(fused: Model, unrolled: Model): Model {
  const dense = [...fused.graph.initializers].flatMap(([{ name }, data]): [string, Tensor][] =>
    isSparse(data) ? [] : [[name, data]],
  );
  const tensors = splitStacked(new Map(dense), stackedParameters(fused));
  return editModel(unrolled, (draft) => {
    for (const [value, before] of draft.graph.initializers) {
      const next = tensors.get(value.name);
      if (next && next !== before) draft.setInitializer(value, next);
    }
  });
}

/** Tensors of equal dims one after another along an axis; along the first, that is a new axis in front seen flat. */
export function joinTensors(parts: readonly Tensor[], axis: number): Tensor {
  const [first] = atLeast(parts, 1);
  const { dtype, dims } = first;
  const bytes = parts.map(bytesOfTensor);
  const [outer, run] = runsOf(first, axis);
  const data = new Uint8Array(parts.length * outer * run);
  for (let i = 0; i < outer; i++) {
    bytes.forEach((part, b) => void data.set(part.subarray(i * run, (i + 1) * run), (i * parts.length + b) * run));
  }
  return { dtype, dims: dims.map((dim, i) => (i === axis ? dim * parts.length : dim)), data };
}

function splitTensor(whole: Tensor, { name, parts, dims, axis }: StackedParameter): Tensor[] {
  const expected = sizeOf(dims) * parts.length;
  if (sizeOf(whole.dims) !== expected) {
    throw new ShapeError("a stacked parameter does not hold its parts", {
      expected: `${expected} elements, ${parts.length} times [${dims.join(", ")}]`,
      got: `[${whole.dims.join(", ")}]`,
      where: `parameter ${JSON.stringify(name)}`,
    });
  }
  const bytes = bytesOfTensor(whole);
  const [outer, run] = runsOf({ ...whole, dims, data: bytes.subarray(0, bytes.length / parts.length) }, axis);
  return parts.map((_, b) => {
    const data = new Uint8Array(outer * run);
    for (let i = 0; i < outer; i++) {
      const from = (i * parts.length + b) * run;
      data.set(bytes.subarray(from, from + run), i * run);
    }
    return { dtype: whole.dtype, dims, data };
  });
}

/** How often the bytes of a part are interrupted by those of the others, and how many lie together. */
function runsOf(part: Tensor, axis: number): [outer: number, bytes: number] {
  const outer = sizeOf(part.dims.slice(0, axis));
  return [outer, bytesOfTensor(part).length / Math.max(1, outer)];
}
