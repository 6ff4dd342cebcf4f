import type { Rule } from "./rule.ts";

export const gpuDownload: Rule = {
  goesWrong: "downloading a tensor from the GPU in Node ends the process",
  builtInto: "ort-options.ts",
};
