/** @file Fewer tokens from block to block of a vision transformer, without training. */
import { must, nth } from "../../checked.ts";
import { UnsupportedError, UsageError } from "../../errors.ts";
import {
  type DataType,
  type Dims,
  describeNode,
  formatType,
  type Initializer,
  isSparse,
  type Model,
  type Node,
  opsetOf,
  sameValueType,
  subgraphsOf,
  TARGET_OPSET,
  type Tensor,
  tensorFromNumbers,
  type Value,
  withGraph,
} from "../../ir/index.ts";
import { dimsOf, type Layers, lengthOf, network } from "../../nn/index.ts";
import { inferShapes } from "../../ops/index.ts";
import { checkOptions, type OptionNames } from "../../options.ts";
import { noWeights } from "../lowering/no-weights.ts";
import { type AttentionBlock, type TokenNetwork, type TokenReader, tokenNetworkOf } from "./attention-blocks.ts";
import { type TokenReduction, type TokenReductionName, tokenReductions } from "./reductions/index.ts";

export interface ReduceTokensOptions {
  /** `merge` by default. */
  readonly reduction?: TokenReduction | TokenReductionName;
  /** Tokens that go after the attention of each block: one number for all, as many as are left to take, or one for each block. */
  readonly remove: number | readonly number[];
}

const reduceTokensOptionsNames: OptionNames<ReduceTokensOptions> = { reduction: true, remove: true };

/**
 * A model of the same inputs, outputs and weights in which fewer tokens are computed. A token that stands for s of the first ones counts
 * s-fold: log s is added to the scores of attention to it, and in a mean over the tokens it weighs s.
 *
 * @throws UnsupportedError for a model without attention blocks over a fixed number of tokens; UsageError for a schedule that does not fit.
 */
export function reduceTokens(model: Model, options: ReduceTokensOptions): Model {
  const { reduction = "merge", remove } = checkOptions(options, reduceTokensOptionsNames);
  if (opsetOf(model) !== TARGET_OPSET) {
    throw new UsageError("tokens are reduced in models of lithe's opset", {
      expected: `opset ${TARGET_OPSET}`,
      got: `opset ${opsetOf(model)}`,
      hint: "Run the pass upgradeOpset first.",
    });
  }
  const typed = inferShapes(model);
  const found = tokenNetworkOf(typed.graph);
  const method = typeof reduction === "string" ? tokenReductions[reduction]() : reduction;
  const schedule = scheduleOf(remove, found, method);
  if (schedule.every((count) => count === 0)) return model;
  return withGraph(model, replayed(typed, { ...found, method, schedule }).graph);
}

function scheduleOf(
  remove: number | readonly number[],
  { blocks, reader, time }: TokenNetwork,
  { most }: TokenReduction,
) {
  const wanted = typeof remove === "number" ? blocks.map(() => remove) : remove;
  let left = time;
  return wanted.map((count, i) => {
    const largest = Math.max(0, most(left, reader.kind === "first"));
    const fits = Number.isSafeInteger(count) && count >= 0 && (typeof remove === "number" || count <= largest);
    if (!fits || wanted.length !== blocks.length) {
      throw new UsageError("the schedule does not fit the blocks", {
        expected: `${blocks.length} whole numbers from 0, block ${i} at most ${largest} of ${left} tokens`,
        got: wanted.join(", "),
      });
    }
    const taken = Math.min(count, largest);
    left -= taken;
    return taken;
  });
}

interface Plan extends TokenNetwork {
  readonly method: TokenReduction;
  readonly schedule: readonly number[];
}

/** Builds the graph anew, node by node, so that all types follow from the new numbers of tokens. */
function replayed({ graph }: Model, { blocks, reader, method, schedule }: Plan): Model {
  return network(noWeights, (outer) => {
    const values = new Map<Value, Value>();
    for (const input of graph.inputs) {
      const { dtype, dims } = tensorTypeOf(input);
      values.set(input, outer.input(input.name, dtype, dims));
    }
    for (const [value, tensor] of graph.initializers) {
      if (!values.has(value)) values.set(value, outer.statistic(value.name, denseOf(value, tensor)));
    }
    const n = outer.scope("tokens");
    const now = (value: Value | undefined) => value && must(values, value);
    let sizes: Value | undefined;
    for (const node of graph.nodes) {
      const inputs = node.inputs.map(now);
      const block = blocks.find(({ softmax }) => softmax === node);
      if (block) checkScores(nth(inputs, 0), node);
      if (block && sizes) inputs[0] = n.op("Add", [inputs[0], logSizes(n, sizes)]);
      const outputs =
        node === reader.node && reader.kind === "mean" && sizes
          ? [sizedMean(n, nth(inputs, 0), sizes, node)]
          : replay(n, node, inputs);
      node.outputs.forEach((value, i) => void (value && values.set(value, nth(outputs, i))));
      const ended = blocks.findIndex(({ sum }) => sum === node);
      if (ended < 0 || schedule[ended] === 0) continue;
      const tokens = must(values, nth(node.outputs, 0));
      const reduced = method.build(n, {
        values: tokens,
        sizes: sizes ?? ones(n, tokens),
        ...attended(n, nth(blocks, ended), (value) => must(values, value), reader.kind),
        time: lengthOf(tokens, 1),
        remove: nth(schedule, ended),
        keepsFirst: reader.kind === "first",
      });
      values.set(nth(node.outputs, 0), reduced.values);
      sizes = reduced.sizes;
    }
    for (const output of graph.outputs) {
      checkOutput(output, must(values, output));
      outer.output(must(values, output), output.name);
    }
  });
}

function tensorTypeOf(value: Value): { readonly dtype: DataType; readonly dims: Dims } {
  if (value.type?.kind === "tensor" && value.type.dims) return { dtype: value.type.dtype, dims: value.type.dims };
  throw new UnsupportedError("the rank of an input is not known", { where: `input ${JSON.stringify(value.name)}` });
}

function denseOf(value: Value, tensor: Initializer): Tensor {
  if (!isSparse(tensor)) return tensor;
  throw new UnsupportedError("a sparse initializer", { where: `initializer ${JSON.stringify(value.name)}` });
}

function replay(n: Layers, node: Node, inputs: readonly (Value | undefined)[]): Value[] {
  if (node.domain !== "" || subgraphsOf(node).length > 0) {
    throw new UnsupportedError("an operator that tokens cannot be reduced around", { where: describeNode(node) });
  }
  return n.like(node, inputs);
}

/** A shape that was written out with the first number of tokens in it. */
function checkScores(scores: Value, node: Node): void {
  const [rows, columns] = dimsOf(scores).slice(-2);
  if (rows === columns) return;
  throw new UnsupportedError("the number of tokens is written into the model", {
    where: describeNode(node),
    hint: "Reshape with 0 or -1 in the place of the tokens.",
  });
}

function checkOutput(before: Value, after: Value): void {
  if (sameValueType(before.type, after.type)) return;
  throw new UnsupportedError("an output would have other dims with fewer tokens", {
    expected: formatType(before.type),
    got: formatType(after.type),
    where: `output ${JSON.stringify(before.name)}`,
  });
}

function attended(n: Layers, block: AttentionBlock, now: (value: Value) => Value, reader: TokenReader["kind"]) {
  const mean = (x: Value, axes: readonly number[]) => n.mean(x, axes);
  const weights = now(nth(block.softmax.outputs, 0));
  const first = () => mean(n.squeeze(n.gather(weights, n.ints([0]), 2), [2]), [1]);
  return {
    keys: () => n.transpose(mean(now(block.keys), [1]), [0, 2, 1]),
    received: () => (reader === "first" ? first() : mean(weights, [1, 2])),
  };
}

/** [batch, time, 1] of ones. */
function ones(n: Layers, tokens: Value): Value {
  const width = n.slice(tokens, [0], [1], [2]);
  const value = tensorFromNumbers("float32", [1], [1]);
  return n.op("ConstantOfShape", [n.shape(width)], { value });
}

/** log s as [batch, 1, 1, time]. */
function logSizes(n: Layers, sizes: Value): Value {
  return n.unsqueeze(n.transpose(n.log(sizes), [0, 2, 1]), [1]);
}

/** With the attributes of the plain mean, which those of a sum are too. */
function sizedMean(n: Layers, tokens: Value, sizes: Value, { attributes }: Node): Value {
  const sum = (x: Value) => n.op("ReduceSum", [x, n.ints([1])], Object.fromEntries(attributes));
  return n.div(sum(n.mul(tokens, sizes)), sum(sizes));
}
