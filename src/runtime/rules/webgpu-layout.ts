import { UnsupportedError } from "../../errors.ts";
import { describeNode } from "../../ir/index.ts";
import { miscomputedConvolution } from "./miscomputed-convolution.ts";
import type { Rule } from "./rule.ts";

export const webgpuLayout: Rule = {
  goesWrong: "the WebGPU provider's default layout computes convolutions with 6, 9 or 18 input channels wrong",
  builtInto: "prepare.ts",
  check(model, { ep, stock }) {
    if (ep !== "webgpu" || !stock) return;
    const found = miscomputedConvolution(model);
    if (found === undefined) return;
    throw new UnsupportedError("an application's WebGPU session would compute this convolution wrongly", {
      expected: "input channels that are a multiple of 4, or none of 3",
      got: `${found.channels} input channels`,
      where: describeNode(found.node),
      hint: 'Run it with { preferredLayout: "NCHW" }, as lithe\'s own sessions do.',
    });
  },
};
