/** @file Whatever the types of the inputs are, inference, axes and costs give an answer or a named problem. */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { expect, it } from "vitest";
import { LitheError } from "../../src/errors.ts";
import { type DataType, type Dim, type Model, type Node, tensorFromNumbers, tensorType } from "../../src/ir/index.ts";
import { decodeModel } from "../../src/onnx/index.ts";
import { axesOf, costOf, inferModel } from "../../src/ops/index.ts";
import { allCases } from "../conformance/cases.ts";
import { describeShared } from "../shared.ts";

const dim: fc.Arbitrary<Dim> = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 0, max: 9 }) },
  fc.constantFrom("n", "m", ""),
  fc.constantFrom(2 ** 31, 2 ** 52),
);
const dtype = fc.constantFrom<DataType>("float32", "int64", "uint8", "bool", "string", "float16");
const inputType = fc.record({ dtype, dims: fc.option(fc.array(dim, { maxLength: 6 })) });
const vector = fc.array(fc.constantFrom(-1, 0, 1, 2, 3, 7, -9, 2 ** 40), { maxLength: 5 });
const replacement = fc.oneof(inputType, vector);

type Replacement = (typeof replacement extends fc.Arbitrary<infer T> ? T : never) | undefined;

/** The model with other types for its inputs, some of them constants. */
function changed({ graph, ...rest }: Model, replacements: readonly Replacement[]): Model {
  const inputs = graph.inputs.map((input, i) => {
    const given = replacements[i % replacements.length];
    return given && "dtype" in given
      ? { ...input, type: tensorType(given.dtype, given.dims ?? undefined) }
      : { ...input };
  });
  const places = new Map(graph.inputs.map((input, i) => [input, inputs[i]!]));
  const renamed = (node: Node): Node => ({
    ...node,
    inputs: node.inputs.map((value) => value && (places.get(value) ?? value)),
  });
  const initializers = new Map(graph.initializers);
  inputs.forEach((input, i) => {
    const given = replacements[i % replacements.length];
    if (Array.isArray(given)) initializers.set(input, tensorFromNumbers("int64", [given.length], given));
  });
  return { ...rest, graph: { ...graph, inputs, initializers, nodes: graph.nodes.map(renamed) } };
}

function survives(model: Model): void {
  try {
    const inferred = inferModel(model);
    for (const node of model.graph.nodes) axesOf(inferred, node);
    costOf(model);
  } catch (error) {
    if (!(error instanceof LitheError)) throw error;
  }
}

describeShared("hostile shapes", () => {
  it("never end in an unnamed error", () => {
    const models = allCases()
      .filter(({ name }) => !name.startsWith("light/") && !name.endsWith("_expanded"))
      .map((test) => decodeModel(readFileSync(test.model)));
    for (const model of models) {
      const property = fc.property(fc.array(replacement, { minLength: 1, maxLength: 6 }), (replacements) =>
        survives(changed(model, replacements)),
      );
      fc.assert(property, { numRuns: 12, seed: 1 });
    }
    expect(models.length).toBeGreaterThan(1000);
  });
});
