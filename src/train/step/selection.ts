/** @file Which initializers of a model are trained, and which of those decay. */
import { UnsupportedError, UsageError } from "../../errors.ts";
import {
  constantOf,
  dataTypes,
  floatsOf,
  type Graph,
  isSparse,
  type Tensor,
  usesOf,
  type Value,
  wildcard,
} from "../../ir/index.ts";
import type { Parameter } from "../optimizers/index.ts";

/** Names, in which `*` stands for any run of characters, regular expressions, or a rule. */
export type Selection = readonly (string | RegExp)[] | ((parameter: Parameter) => boolean);

export interface Chosen {
  readonly value: Value;
  readonly tensor: Tensor;
}

/**
 * The float initializers that the selection names. Without one: all of rank 1 and more, since scalars are constants of
 * formulas far more often than weights, and but masks, tensors of zeros and of very negative numbers alone, and but the scales and zero
 * points of quantization, which a step of the size of a weight's ruins. Those that `freeze` names and `fixed` are never chosen.
 *
 * @throws UsageError when a name does not exist, or nothing is left; UnsupportedError where all weights are integers and none is named.
 */
export function chooseParameters(
  graph: Graph,
  { trainable: selection, freeze }: { readonly trainable?: Selection; readonly freeze?: Selection },
  fixed: ReadonlySet<Value>,
): readonly Chosen[] {
  const candidates = [...graph.initializers].flatMap(([value, data]) =>
    isSparse(data) || dataTypes[data.dtype].kind !== "float" || fixed.has(value) ? [] : [{ value, tensor: data }],
  );
  if (selection) checkNames(selection, candidates);
  if (freeze) checkNames(freeze, candidates);
  const constants = candidates.filter(({ value, tensor }) => isMask(tensor) || isScale(graph, value));
  const unfit = new Set(selection ? [] : constants.map(({ value }) => value.name));
  const isChosen = selection ? selects(selection) : ({ name, dims }: Parameter) => dims.length > 0 && !unfit.has(name);
  const isFrozen = selects(freeze ?? []);
  const parameters = candidates.map((candidate) => ({ candidate, parameter: parameterOf(candidate) }));
  if (!selection && !parameters.some(({ parameter }) => isChosen(parameter) && parameter.dims.length > 1)) {
    checkFloatWeights(graph);
  }
  const chosen = parameters.flatMap(({ candidate, parameter }) =>
    isChosen(parameter) && !isFrozen(parameter) ? [candidate] : [],
  );
  if (chosen.length > 0) return chosen;
  throw new UsageError("there is nothing to train", {
    expected: "float initializers",
    got:
      candidates.length === 0
        ? "none in the model"
        : `none that ${selection ? "the selection names" : "is no constant"}`,
  });
}

/** @throws UnsupportedError where all weights are integers, and what is left of the floats would be trained without them */
function checkFloatWeights(graph: Graph): void {
  const integers = graph.nodes.flatMap(({ opType, inputs }) => {
    const weight = opType === "DequantizeLinear" ? constantOf(graph, inputs[0]) : undefined;
    return weight && weight.dims.length > 1 ? [{ name: inputs[0]?.name, dtype: weight.dtype }] : [];
  });
  const [first] = integers;
  if (!first) return;
  throw new UnsupportedError("the weights of the model are integers, which no step can move", {
    expected: "float weights in front of QuantizeLinear and DequantizeLinear",
    got: `${integers.length} weights such as ${JSON.stringify(first.name)} of ${first.dtype}`,
    hint: "Train the float model that it was made of, with fakeQuantize and quantizationAware of litheml/quantize or lithe quantize --form static --finetune; name in trainable what is to be trained beside integers.",
  });
}

/** What is added to scores to hide some of them. */
function isMask(tensor: Tensor): boolean {
  const numbers = floatsOf(tensor);
  return numbers.some((x) => x <= HIDING) && numbers.every((x) => x === 0 || x <= HIDING);
}

const HIDING = -1e4;

/** What quantization divides or multiplies by, or shifts by. */
function isScale(graph: Graph, value: Value): boolean {
  return usesOf(graph, value).some(({ node, input }) => node && input > 0 && quantizers.has(node.opType));
}

const quantizers: ReadonlySet<string> = new Set(["QuantizeLinear", "DequantizeLinear"]);

export function parameterOf({ value, tensor }: Chosen): Parameter {
  return { name: value.name, dtype: tensor.dtype, dims: tensor.dims };
}

/** The selection as a rule. */
export function selects(selection: Selection): (parameter: Parameter) => boolean {
  if (typeof selection === "function") return selection;
  const tests = selection.map((item) =>
    typeof item === "string" ? wildcard(item) : (name: string) => item.test(name),
  );
  return ({ name }) => tests.some((test) => test(name));
}

function checkNames(selection: Selection, candidates: readonly Chosen[]): void {
  if (typeof selection === "function") return;
  const names = candidates.map(({ value }) => value.name);
  const unknown = selection.find((item) => typeof item === "string" && !names.some(wildcard(item)));
  if (unknown === undefined) return;
  throw new UsageError("there is no such float initializer", {
    expected: names.slice(0, 20).join(", "),
    got: JSON.stringify(unknown),
  });
}

const normalisations: ReadonlySet<string> = new Set([
  "BatchNormalization",
  "InstanceNormalization",
  "LayerNormalization",
  "GroupNormalization",
  "RMSNormalization",
  "SimplifiedLayerNormalization",
]);

/** Biases and the vectors of normalisations: rank 1 and less, or read by a normalisation. */
export function biasesAndNorms(graph: Graph, value: Value, { dims }: Parameter): boolean {
  if (dims.length <= 1) return true;
  return usesOf(graph, value).some(({ node, input }) => node && input > 0 && normalisations.has(node.opType));
}
