/** @file Whole models whose fields are changed: small networks, what passes and gradients are tried on, every operator, other forms. */

import { random } from "../../src/data/index.ts";
import {
  graphAttribute,
  graphBuilder,
  type Model,
  type ModelFunction,
  makeNode,
  model,
  qualifiedName,
  scalar,
  tensor,
  tensorFromNumbers,
  tensorType,
} from "../../src/ir/index.ts";
import { gpt, lenet, mlp, resnet, vit } from "../../src/models/index.ts";
import { encodeModel } from "../../src/onnx/index.ts";
import { opTable } from "../../src/ops/index.ts";
import { quantizeDynamic, quantizeWeights } from "../../src/quantize/index.ts";
import type { GradientCase } from "../laws/gradient-cases/case.ts";
import { gradientCases } from "../laws/gradient-cases/index.ts";
import { graphs } from "../laws/pass-graphs.ts";
import { denseModel, loopModel, memoryModel } from "../models.ts";
import { splitName } from "./mutate-fields.ts";

/** Models in bytes, by how often they should be taken: networks reach what single operators do not. */
export interface Seeds {
  readonly networks: readonly Uint8Array[];
  readonly operators: readonly Uint8Array[];
}

/** @param cases further small models, such as those of the conformance suite. */
export async function fuzzSeeds(cases: readonly Uint8Array[]): Promise<Seeds> {
  const networks = [
    ...smallNetworks(),
    ...Object.values(graphs).map((make) => make()),
    calling(),
    denseModel(),
    loopModel(4),
    memoryModel(),
  ];
  const dense = mlp(random(1), { input: [8], hidden: [8], classes: 3 });
  networks.push(quantizeDynamic(dense).model);
  for (const format of ["matmul-nbits", "dequantize"] as const)
    networks.push((await quantizeWeights(dense, { format, blockSize: 16 })).model);
  const operators = [...gradientCases.map(modelOfCase), ...Object.keys(opTable).map(bareOperator)];
  return {
    networks: networks.map((one) => encodeModel(one)),
    operators: [...operators.map((one) => encodeModel(one)), ...cases],
  };
}

function smallNetworks(): Model[] {
  const source = random(1);
  return [
    mlp(source, { input: [4], hidden: [6, 5], classes: 3, dropout: 0.1 }),
    lenet(source, { size: 12, classes: 3 }),
    resnet(source, { depth: 8, width: 2, size: 8, classes: 3 }),
    vit(source, { size: 8, patch: 4, width: 8, depth: 1, heads: 2, classes: 3 }),
    gpt(source, { vocabulary: 11, context: 4, width: 8, depth: 1, heads: 2 }),
  ];
}

function modelOfCase({ inputs, build, opset = 21 }: GradientCase): Model {
  const g = graphBuilder();
  const values = new Map(
    Object.entries(inputs).map(([name, { dims, dtype = "float32", values: fixed }]) => {
      const value =
        fixed && dtype !== "float32"
          ? g.constant(name, tensorFromNumbers(dtype, dims, fixed))
          : g.input(name, dtype, dims);
      return [name, value];
    }),
  );
  for (const [i, output] of build(g, (name) => values.get(name)!).entries()) g.output(output, `y${i}`);
  return model(g.build(), {
    opsets: new Map([
      ["", opset],
      ["com.microsoft", 1],
    ]),
  });
}

/** An operator over inputs and constants of which nothing is sure but that they are there. */
function bareOperator(qualified: string, index: number): Model {
  const [domain, opType] = splitName(qualified);
  const g = graphBuilder();
  const inputs = Array.from({ length: 1 + (index % 5) }, (_, i) =>
    i % 2 === 0 ? g.input(`x${i}`, "float32", [2, 3, 4]) : g.constant(`c${i}`, tensor("int64", [2], [1, 2])),
  );
  for (const [i, output] of g.unchecked(qualifiedName({ opType, domain }), inputs, 1 + (index % 3)).entries())
    g.output(output, `y${i}`);
  const opsets = new Map([
    ["", 21],
    ["com.microsoft", 1],
    ["ai.onnx.ml", 3],
  ]);
  return model(g.build(), { opsets });
}

/** A model that defines a function with an attribute, and calls it in a branch. */
function calling(): Model {
  const [x, y] = [{ name: "fx" }, { name: "fy" }];
  const scaled: ModelFunction = {
    name: "Scaled",
    domain: "own",
    inputs: [x],
    outputs: [y],
    nodes: [
      makeNode("LeakyRelu", [x], [y], { attributes: { alpha: { type: "reference", to: "slope", of: "float" } } }),
    ],
    attributes: ["slope"],
    attributeDefaults: new Map(),
    opsets: new Map([["", 21]]),
  };
  const g = graphBuilder();
  const input = g.input("x", "float32", ["n", 2]);
  const branch = (slope: number) => {
    const inner = g.subgraph();
    inner.output(inner.unchecked("own::Scaled", [input], 1, { slope: { type: "float", value: slope } })[0]);
    return graphAttribute(inner.build(`slope${slope}`));
  };
  const condition = g.op("ReduceMax", [g.op("Greater", [input, g.constant("zero", scalar("float32", 0))])], {
    keepdims: 0,
  });
  const result = g.op("If", [condition], { then_branch: branch(1), else_branch: branch(2) });
  g.output({ ...result, type: tensorType("float32", ["n", 2]) }, "y");
  return model(g.build(), {
    functions: [scaled],
    opsets: new Map([
      ["", 21],
      ["own", 1],
    ]),
  });
}
