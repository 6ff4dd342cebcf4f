/** @file What passes make of small models, as ONNX text: before, a line, after. */

import { describe, expect, it } from "vitest";
import { printModel } from "../../src/ir/index.ts";
import { evaluate } from "../../src/reference/index.ts";
import { checked, type Evaluate } from "../../src/rewrite/index.ts";
import { type EveryPassName, everyPass } from "../every-pass.ts";
import { graphs } from "../laws/pass-graphs.ts";

const byReference: Evaluate = async (model, feeds) => evaluate(model, feeds, { precision: "declared" });

const cases = {
  "upgrade-opset": [
    "opset 6: broadcasting with an axis",
    "opset 9: attributes that became inputs",
    "opset 11: softmax over a matrix",
  ],
  "freeze-initializers": ["IR version 3: weights among the inputs"],
  "infer-shapes": ["reshapes in a chain"],
  "squeeze-scalars": ["a range up to a vector of one element"],
  "fold-constants": ["constants to fold", "shapes to fold", "quantized weights"],
  "store-constants": ["constants to fold"],
  "eliminate-identity": ["identity inside and at the output", "branches that capture"],
  "eliminate-dropout": ["dropout at inference"],
  "inline-branches": ["branches that are always taken", "branches that capture"],
  "eliminate-noop": ["transposes in a chain", "neutral constants", "casts there and back"],
  "eliminate-common-subexpressions": ["the same twice"],
  "eliminate-dead-nodes": ["nodes and constants that nobody reads"],
  "explicit-windows": ["windows that round up, and padding left to be worked out"],
  "fuse-batchnorm": ["convolution and batch normalization", "batch normalization before gemm"],
  "fuse-affine": ["factors and shifts after linear operators"],
  "fuse-pad": ["pads before windows"],
  "fuse-matmul-add": ["products and sums"],
  "fuse-branches": ["branches with a sum", "convolutional branches with an operator in the middle that has no rule"],
  "roll-branches": ["branches with a sum"],
  "lower-portable": ["what WebGPU lacks"],
  "convert-float16": ["branches that capture", "products and sums"],
  "convert-float32": ["float16 inside"],
  cleanup: ["opset 9: attributes that became inputs", "branches that capture", "branches that are always taken"],
} satisfies Record<EveryPassName, readonly (keyof typeof graphs)[]>;

const listed = Object.entries(cases).flatMap(([pass, names]) =>
  names.map((name) => ({ pass: pass as EveryPassName, name })),
);

describe("golden texts of passes", () => {
  it.each(listed)("$pass: $name", async ({ pass, name }) => {
    const before = graphs[name]();
    const { model: after } = await checked(everyPass[pass]({ evaluate: byReference })).run(before);
    const file = `${pass}-${name.replaceAll(/[^a-z0-9]+/gi, "-").toLowerCase()}.txt`;
    await expect(`${printModel(before)}\n----\n\n${printModel(after)}`).toMatchFileSnapshot(`passes/${file}`);
  });
});
