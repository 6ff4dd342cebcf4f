/** @file The check that the reference evaluator gives the expected outputs. */
import type { Model } from "../../src/ir/index.ts";
import type { FileValue } from "../../src/onnx/tensor-file.ts";
import { fromTensor as denseFromTensor, toTensor as tensorFromDense } from "../../src/reference/dense.ts";
import { evaluateValues } from "../../src/reference/evaluate.ts";
import type { Held } from "../../src/reference/index.ts";
import { type Case, expectationsOf, feedsOf } from "./cases.ts";
import { difference } from "./compare.ts";

function held(value: FileValue): Held {
  if ("empty" in value) return value;
  return "items" in value ? { items: value.items.map(held) } : denseFromTensor(value);
}

function fileValue(value: Held): FileValue {
  if ("empty" in value) return value;
  return "items" in value ? { items: value.items.map(fileValue) } : tensorFromDense(value, "declared");
}

/** Why the reference does not give what the case expects; `undefined` when it does. */
export function referenceProblem(test: Case, model: Model): string | undefined {
  const feeds = new Map([...feedsOf(test, model)].map(([name, value]) => [name, held(value)]));
  const results = evaluateValues(model, feeds, { precision: "declared" });
  for (const [name, expected] of expectationsOf(test, model)) {
    const problem = difference(expected, fileValue(results.get(name)!), test);
    if (problem) return `output ${name}: ${problem}`;
  }
  return undefined;
}
