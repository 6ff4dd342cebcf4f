/** @file What a loss is: the labels it wants, and one number from them and a prediction. */
import { UsageError } from "../../errors.ts";
import { type Dims, dataTypes, type LabelDomain, type TensorType, tensorType, type Value } from "../../ir/index.ts";
import { dimsOf, dtypeOf, type StepBuilder } from "../step/step-builder.ts";

export interface Loss {
  readonly name: string;
  /** The type of the labels for a prediction of this type. */
  labels(prediction: Value): TensorType;
  /** What a label is; any number that fits the dtype when absent. */
  readonly reads?: "classes" | "shares" | "numbers";
  /** Where the classes stand, for labels that are classes; 1 by default. */
  readonly classAxis?: number;
  /** Labels of this value count for nothing; they may lie outside the classes. */
  readonly ignoreIndex?: number | undefined;
  /** The labels are the probabilities of the classes, so that a class index can stand for certainty. */
  readonly takesProbabilities?: boolean;
  /** The loss of a batch, a scalar of the prediction's dtype. */
  build(g: StepBuilder, prediction: Value, labels: Value): Value;
}

/** Labels of the dtype and dims of the prediction. */
export function likePrediction(prediction: Value): TensorType {
  return tensorType(dtypeOf(prediction), dimsOf(prediction));
}

/** One class index in place of the axis of classes. */
export function classIndices(axis: number): Pick<Loss, "reads" | "classAxis" | "labels"> {
  return {
    reads: "classes",
    classAxis: axis,
    labels(prediction) {
      const { place } = classAxis(prediction, axis);
      return tensorType("int64", without(dimsOf(prediction), place));
    },
  };
}

/** The probability of every class of the axis. */
export function classProbabilities(axis: number): Pick<Loss, "reads" | "classAxis" | "labels" | "takesProbabilities"> {
  return { reads: "classes", classAxis: axis, labels: likePrediction, takesProbabilities: true };
}

/** Which labels a loss takes for a prediction. */
export function labelDomain({ reads, classAxis: axis = 1, ignoreIndex, labels }: Loss, prediction: Value): LabelDomain {
  if (reads === "classes") {
    return { kind: "classes", count: classAxis(prediction, axis).classes, ignored: ignoreIndex };
  }
  const { kind } = dataTypes[labels(prediction).dtype];
  return { kind: reads ?? (kind === "float" ? "numbers" : "integers") };
}

export interface ClassAxis {
  /** The axis, counted from the front. */
  readonly place: number;
  readonly classes: number;
}

/** The axis of the classes, whose number has to be known. */
export function classAxis(prediction: Value, axis: number): ClassAxis {
  const dims = dimsOf(prediction);
  const place = axis < 0 ? axis + dims.length : axis;
  const classes = dims[place];
  if (typeof classes === "number") return { place, classes };
  throw new UsageError("the loss needs a known number of classes", {
    expected: `a fixed length of axis ${axis}`,
    got: `[${dims.join(", ")}]`,
    where: `prediction ${JSON.stringify(prediction.name)}`,
  });
}

function without(dims: Dims, axis: number): Dims {
  return dims.filter((_, i) => i !== axis);
}

/** The score (or log-probability) at each label. */
export function pick(g: StepBuilder, scores: Value, labels: Value, axis: number): Value {
  const picked = g.op("GatherElements", [scores, g.unsqueeze(labels, [axis])], { axis });
  return g.squeeze(picked, [axis]);
}

/** log(1 + e^(−|x|)), which never overflows; `Softplus` is slow on the CPU. */
export function logOnePlusExp(g: StepBuilder, x: Value): Value {
  return g.log(g.add(g.exp(g.neg(g.abs(x))), 1));
}

export function checkSetting(name: string, value: number, isFine: boolean, expected: string): void {
  if (!isFine) throw new UsageError(`${name} is out of range`, { expected, got: String(value) });
}
