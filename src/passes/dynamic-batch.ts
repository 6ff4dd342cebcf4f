/** @file A fixed batch of one becomes a symbolic dim, proved by running the result on another batch. */
import { atLeast, must, nth } from "../checked.ts";
import { LimitError, LitheError, UnsupportedError, UsageError } from "../errors.ts";
import {
  type DataType,
  type Dim,
  type Dims,
  dataTypes,
  describeNode,
  editModel,
  fedInputs,
  type Graph,
  intOf,
  type Model,
  type Node,
  numbersOf,
  sizeOf,
  stringsOf,
  type Tensor,
  tensorFromNumbers,
  type Value,
} from "../ir/index.ts";
import { inferModel } from "../ops/index.ts";
import { checkOptions, type OptionNames } from "../options.ts";
import { constantInGraph, type Evaluate, type Note, type Pass, type PassResult } from "../rewrite/index.ts";

const name = "dynamic-batch";

export interface DynamicBatchOptions {
  /** Runs the model on batches of 1 and 3, to prove that the samples of a batch do not mix. */
  readonly evaluate: Evaluate;
  /** Name of the symbolic dim; `"batch"` when absent. */
  readonly symbol?: string;
  /** Names of the inputs whose first axis is the batch; all whose first dim is 1 when absent. */
  readonly inputs?: readonly string[];
}

const dynamicBatchOptionsNames: OptionNames<DynamicBatchOptions> = { evaluate: true, symbol: true, inputs: true };

/**
 * Rounding: each sample of a batch gets what it would get alone, up to the order of sums. The first dim of the batched inputs and
 * of the outputs that follow them becomes symbolic, and constant shapes of `Reshape` with the batch in front let go of it.
 * @throws UnsupportedError when the model's dims do not allow it, or a batch of three differs from its samples alone.
 */
export function dynamicBatch(options: DynamicBatchOptions): Pass {
  checkOptions(options, dynamicBatchOptionsNames);
  return { name, exactness: "rounding", run: (model) => withDynamicBatch(model, options) };
}

async function withDynamicBatch(
  model: Model,
  { evaluate, symbol = "batch", inputs }: DynamicBatchOptions,
): Promise<PassResult> {
  const batched = batchedInputs(model.graph, inputs);
  if (batched.length === 0) return { model, notes: [] };
  const { model: freed, notes } = withFreeShapes(model);
  const opened = openedSignature(freed, new Set(batched.map((value) => value.name)), symbol);
  await prove(model, opened, batched, evaluate);
  return { model: opened, notes };
}

function batchedInputs(graph: Graph, names: readonly string[] | undefined): Value[] {
  const fed = fedInputs(graph);
  for (const wanted of names ?? []) {
    if (!fed.some((input) => input.name === wanted))
      throw new UsageError(`no input is called "${wanted}"`, { expected: fed.map((input) => input.name).join(", ") });
  }
  return fed.filter((input) => (names ? names.includes(input.name) : true) && dimsOf(input)?.[0] === 1);
}

/** Shapes of `Reshape` that begin with 1: the batch becomes -1, and a -1 further on becomes the number that it stands for. */
function withFreeShapes(model: Model): { model: Model; notes: Note[] } {
  const notes: Note[] = [];
  const { types } = inferModel(model);
  const freed = editModel(model, (draft) => {
    for (const node of draft.nodesOfType("Reshape")) {
      const [x, shape] = node.inputs;
      const constant = shape && constantInGraph(model, draft.graph, shape);
      const result = node.outputs[0] && types.get(node.outputs[0]);
      if (!x || !constant || numbersOf(constant)[0] !== 1) continue;
      const free = freeShape([...numbersOf(constant)], result && "dims" in result ? result.dims : undefined, node);
      const value = draft.constant(`${shape.name}_batch`, tensorFromNumbers("int64", [free.length], free));
      draft.replaceNode(node, { ...node, inputs: [x, value] });
      notes.push({ pass: name, kind: "applied", reason: "its shape holds the batch", nodes: [node.name] });
    }
  });
  return { model: freed, notes };
}

/** With an unknown length further on, the batch is copied from the input (0); whether that is right, the proof will tell. */
function freeShape(shape: readonly number[], dims: Dims | undefined, node: Node): number[] {
  const rest = shape.slice(1).map((length, i) => {
    const known = dims?.[i + 1];
    return length === -1 && typeof known === "number" ? known : length;
  });
  const copiesDims = intOf(node, "allowzero", 0) === 0;
  if (rest.includes(-1) || (copiesDims && rest.includes(0))) {
    if (copiesDims) return [0, ...rest];
    throw new UnsupportedError("a shape with an unknown length cannot let go of its batch", {
      where: describeNode(node),
    });
  }
  return [-1, ...rest];
}

/** Inputs get the symbol; types between are forgotten, since they told of the old batch; outputs follow by inference. */
function openedSignature(model: Model, batched: ReadonlySet<string>, symbol: string): Model {
  const opened = editModel(model, (draft) => {
    const outputs = new Set(draft.graph.outputs);
    for (const input of draft.graph.inputs) {
      if (batched.has(input.name)) draft.substitute(input, withFirstDim(input, symbol));
    }
    for (const value of draft.graph.nodes.flatMap((node) => node.outputs)) {
      if (value?.type) draft.substitute(value, outputs.has(value) ? withoutDims(value) : untyped(value));
    }
  });
  const { types, problems } = inferModel(opened);
  const [problem] = problems;
  if (problem) throw new UnsupportedError(`with a symbolic batch ${problem.message}`, { where: problem.where });
  return editModel(opened, (draft) => {
    draft.graph.outputs.forEach((output, i) => {
      const before = nth(model.graph.outputs, i);
      const dims = outputDims(dimsOf(before), dimsOf({ ...output, ...typeOf(types.get(output)) }), symbol);
      const type = before.type ?? types.get(output);
      if (dims && type?.kind === "tensor") draft.substitute(output, { ...output, type: { ...type, dims } });
      else if (type) draft.substitute(output, { ...output, type });
    });
  });
}

/** Declared dims, with the symbol where inference finds it, or in front when inference knows nothing. */
function outputDims(declared: Dims | undefined, inferred: Dims | undefined, symbol: string): Dims | undefined {
  if (!declared) return inferred;
  return declared.map((dim: Dim, i) => {
    const found = inferred?.[i];
    if (typeof found === "string" && found !== "") return found;
    return found === undefined || found === "" ? (i === 0 && dim === 1 ? symbol : dim) : dim;
  });
}

function typeOf(type: Value["type"] | undefined): Pick<Value, "type"> {
  return type ? { type } : {};
}

function untyped({ type: _, ...value }: Value): Value {
  return value;
}

function withoutDims(value: Value): Value {
  const { type } = value;
  return type?.kind === "tensor" ? { ...value, type: { kind: "tensor", dtype: type.dtype } } : value;
}

function withFirstDim(value: Value, symbol: string): Value {
  const dims = dimsOf(value);
  const { type } = value;
  return type?.kind === "tensor" && dims ? { ...value, type: { ...type, dims: [symbol, ...dims.slice(1)] } } : value;
}

function dimsOf({ type }: Value): Dims | undefined {
  return type && "dims" in type ? type.dims : undefined;
}

const SAMPLES = 3;
/** Most elements of all inputs of a sample together. */
const MAX_SAMPLE = 2 ** 24;

/** Three samples in one batch must give what each gives alone, and the first what the old model gives. */
async function prove(before: Model, after: Model, batched: readonly Value[], evaluate: Evaluate): Promise<void> {
  const samples = Array.from({ length: SAMPLES }, (_, sample) => feedsOf(before, sample, batched));
  const together = new Map(
    [...nth(samples, 0)].map(([input, first]) => {
      const isBatched = batched.some((value) => value.name === input);
      return [input, isBatched ? stacked(samples.map((feeds) => must(feeds, input))) : first];
    }),
  );
  const results = await ran(after, together, evaluate);
  const alone = await Promise.all(samples.map((feeds) => ran(before, feeds, evaluate)));
  const single = await ran(after, nth(samples, 0), evaluate);
  for (const [output, expected] of nth(alone, 0)) {
    const whole = results.get(output);
    const batches = whole && whole.dims[0] === SAMPLES * (expected.dims[0] ?? 0);
    const wanted = batches ? stacked(alone.map((result) => must(result, output))) : expected;
    for (const [got, want] of [[whole, wanted] as const, [single.get(output), expected] as const]) {
      if (got && agree(got, want)) continue;
      throw new UnsupportedError(`the output "${output}" of a batch is not that of its samples`, {
        expected: `dims [${want.dims.join(", ")}] and the values of each sample alone`,
        got: got ? `dims [${got.dims.join(", ")}]` : "nothing",
        hint: "The model mixes the samples of a batch, or holds a constant with the old batch in it.",
      });
    }
  }
}

async function ran(model: Model, feeds: ReadonlyMap<string, Tensor>, evaluate: Evaluate) {
  try {
    return await evaluate(model, feeds);
  } catch (cause) {
    if (!(cause instanceof LitheError)) throw cause;
    const hint = "A constant in the model holds the old batch, or an input that is not batched was taken for one.";
    throw new UnsupportedError(`the model does not run on a batch: ${cause.message}`, { hint, cause });
  }
}

/** Deterministic inputs: floats between -1 and 1, integers and booleans 0 or 1; unknown dims are 1. */
function feedsOf({ graph }: Model, sample: number, batched: readonly Value[]): Map<string, Tensor> {
  const fed = fedInputs(graph);
  const types = fed.map(({ name, type }) => {
    if (type?.kind !== "tensor" || !type.dims) throw new UnsupportedError(`the dims of input "${name}" are unknown`);
    return { dtype: type.dtype, dims: type.dims.map((dim) => (typeof dim === "number" ? dim : 1)) };
  });
  const size = types.reduce((sum, { dims }) => sum + sizeOf(dims), 0);
  if (size > MAX_SAMPLE)
    throw new LimitError("the inputs are too large to be tried", {
      expected: `${MAX_SAMPLE} elements`,
      got: `${size}`,
    });
  return new Map(
    fed.map((input, i): [string, Tensor] => {
      const { dtype, dims } = nth(types, i);
      return [input.name, sampleOf(dtype, dims, batched.includes(input) ? sample : 0)];
    }),
  );
}

function sampleOf(dtype: DataType, dims: readonly number[], sample: number): Tensor {
  const size = sizeOf(dims);
  const isFloat = dataTypes[dtype].kind === "float";
  const values = new Float64Array(size);
  for (let i = 0; i < size; i++) {
    const wave = Math.sin(12.9898 * (i + 1) + 78.233 * (sample + 1)) * 43758.5453;
    const unit = wave - Math.floor(wave);
    values[i] = isFloat ? 2 * unit - 1 : Math.round(unit);
  }
  return tensorFromNumbers(dtype, dims, values);
}

function stacked(tensors: readonly Tensor[]): Tensor {
  const [first] = atLeast(tensors, 1);
  const dims = [nth(first.dims, 0) * tensors.length, ...first.dims.slice(1)];
  const values = new Float64Array(sizeOf(dims));
  let filled = 0;
  for (const tensor of tensors) {
    values.set(numbersOf(tensor), filled);
    filled += sizeOf(tensor.dims);
  }
  return tensorFromNumbers(first.dtype, dims, values);
}

/** Within 1e-4 of the largest magnitude. */
function agree(a: Tensor, b: Tensor): boolean {
  if (a.dtype !== b.dtype || a.dims.join() !== b.dims.join()) return false;
  if (a.dtype === "string") return stringsOf(a).every((text, i) => text === stringsOf(b)[i]);
  const [x, y] = [numbersOf(a), numbersOf(b)];
  const scale = y.reduce((largest, value) => Math.max(largest, Math.abs(value)), 1e-30);
  return x.every((value, i) => Object.is(value, y[i]) || Math.abs(value - y[i]!) <= 1e-4 * scale);
}
