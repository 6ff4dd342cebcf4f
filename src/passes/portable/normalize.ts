/** @file Operators that normalise, in reductions and arithmetic. */
import { floatOf, int64s, intOf, scalar, type Value } from "../../ir/index.ts";
import { declined, type Rule, type RuleContext, replaceBy } from "../../rewrite/index.ts";

/** log softmax(x) = z − log Σ exp(z) with z = x − max x. */
const logSoftmax: Rule = {
  name: "log-softmax",
  roots: ["LogSoftmax"],
  apply(node, context) {
    const [x] = node.inputs;
    if (!x) return undefined;
    if (context.version() < 13) return declined("it flattens its input before opset 13");
    const { g } = context;
    const axes = axesOf(context, [intOf(node, "axis", -1)]);
    const z = g.op("Sub", [x, reduce(context, "ReduceMax", x, axes)]);
    const total = g.op("Log", [reduce(context, "ReduceSum", g.op("Exp", [z]), axes)]);
    return replaceBy("LogSoftmax is written in reductions", g.op("Sub", [z, total]));
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
    const { g } = context;
    const axes = axesOf(
      context,
      [...dims.keys()].filter((axis) => axis !== 1),
    );
    const number = (n: number): Value => g.constant("number", scalar(type.dtype, n));
    const mean = reduce(context, "ReduceMean", x, axes);
    const moved = g.op("Sub", [x, mean]);
    const variance = reduce(context, "ReduceMean", g.op("Mul", [moved, moved]), axes);
    const epsilon = number(floatOf(node, "epsilon", 1e-5));
    const inverse = g.op("Reciprocal", [g.op("Sqrt", [g.op("Add", [variance, epsilon])])]);
    const perChannel = g.constant("per_channel", int64s([-1, ...dims.slice(2).map(() => 1)]));
    const channels = (value: Value): Value => g.op("Reshape", [value, perChannel]);
    const scaled = g.op("Mul", [g.op("Mul", [moved, inverse]), channels(scale)]);
    const momentum = floatOf(node, "momentum", 0.9);
    const flat = g.constant("flat", int64s([-1]));
    const next = (running: Value, current: Value): Value => {
      const now = g.op("Reshape", [current, flat]);
      if (momentum === 0) return now;
      const kept = g.op("Mul", [running, number(momentum)]);
      return g.op("Add", [kept, g.op("Mul", [now, number(1 - momentum)])]);
    };
    return replaceBy(
      "BatchNormalization over the batch is written in reductions",
      g.op("Add", [scaled, channels(bias)]),
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
