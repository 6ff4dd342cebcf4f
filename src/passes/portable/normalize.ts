/** @file Operators that normalise, in reductions and arithmetic. */
import { floatOf, int64s, intOf, type Value } from "../../ir/index.ts";
import { declined, type Rule, type RuleContext, replaceBy } from "../../rewrite/index.ts";
import { wordsOf } from "./words.ts";

/** log softmax(x) = z − log Σ exp(z) with z = x − max x. */
const logSoftmax: Rule = {
  name: "log-softmax",
  roots: ["LogSoftmax"],
  apply(node, context) {
    const [x] = node.inputs;
    if (!x) return undefined;
    if (context.version() < 13) return declined("it flattens its input before opset 13");
    const g = wordsOf(context.g, "float32");
    const axes = axesOf(context, [intOf(node, "axis", -1)]);
    const z = g.sub(x, reduce(context, "ReduceMax", x, axes));
    const total = g.log(reduce(context, "ReduceSum", g.exp(z), axes));
    return replaceBy("LogSoftmax is written in reductions", g.sub(z, total));
  },
};

/**
 * Training form over the batch: y = (x − μ)·s·scale + bias with s = 1/√(σ² + ε), and running statistics
 * r·momentum + (1 − momentum)·(μ or σ²), with the population variance as the operator has it.
 */
const batchNormalization: Rule = {
  name: "batch-normalization",
  roots: ["BatchNormalization"],
  apply(node, context) {
    if (intOf(node, "training_mode", 0) !== 1) return undefined;
    const [x, scale, bias, runningMean, runningVariance] = node.inputs;
    const [y, nextMean, nextVariance] = node.outputs;
    if (!x || !scale || !bias || !runningMean || !runningVariance || !y) return undefined;
    const type = context.type(x);
    const dims = context.dims(x);
    if (type?.kind !== "tensor" || !dims || dims.length < 2) return declined("the rank of its input is not known");
    if (node.inputs.slice(1).some((value) => !sameDtype(context, value, type.dtype))) {
      return declined("its statistics have another dtype than its input");
    }
    const g = wordsOf(context.g, type.dtype);
    const axes = axesOf(
      context,
      [...dims.keys()].filter((axis) => axis !== 1),
    );
    const mean = reduce(context, "ReduceMean", x, axes);
    const moved = g.sub(x, mean);
    const variance = reduce(context, "ReduceMean", g.mul(moved, moved), axes);
    const epsilon = floatOf(node, "epsilon", 1e-5);
    const inverse = context.g.op("Reciprocal", [g.sqrt(g.add(variance, epsilon))]);
    const perChannel = context.g.constant("per_channel", int64s([-1, ...dims.slice(2).map(() => 1)]));
    const channels = (value: Value): Value => context.g.op("Reshape", [value, perChannel]);
    const scaled = g.mul(g.mul(moved, inverse), channels(scale));
    const momentum = floatOf(node, "momentum", 0.9);
    const flat = context.g.constant("flat", int64s([-1]));
    const next = (running: Value, current: Value): Value => {
      const now = context.g.op("Reshape", [current, flat]);
      if (momentum === 0) return now;
      const kept = g.mul(running, momentum);
      return g.add(kept, g.mul(now, 1 - momentum));
    };
    return replaceBy(
      "BatchNormalization over the batch is written in reductions",
      g.add(scaled, channels(bias)),
      nextMean && next(runningMean, mean),
      nextVariance && next(runningVariance, variance),
    );
  },
};

function sameDtype(context: RuleContext, value: Value | undefined, dtype: string): boolean {
  const type = context.type(value);
  return type?.kind === "tensor" && type.dtype === dtype;
}

/** Axes as reductions take them in this opset; `ReduceSum` has had an input since 13, the others since 18. */
function axesOf({ g }: RuleContext, axes: readonly number[]): { readonly list: readonly number[]; input(): Value } {
  let made: Value | undefined;
  return {
    list: axes,
    input() {
      made ??= g.constant("axes", int64s(axes));
      return made;
    },
  };
}

function reduce(
  context: RuleContext,
  opType: "ReduceMax" | "ReduceMean" | "ReduceSum",
  x: Value,
  axes: ReturnType<typeof axesOf>,
): Value {
  const takesInput = context.version() >= (opType === "ReduceSum" ? 13 : 18);
  return takesInput
    ? context.g.op(opType, [x, axes.input()], { keepdims: 1 })
    : context.g.unchecked(opType, [x], 1, { keepdims: 1, axes: [...axes.list] })[0];
}

export const normalizeRules: readonly Rule[] = [logSoftmax, batchNormalization];
