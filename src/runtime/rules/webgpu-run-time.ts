import { hasNode } from "./has-node.ts";
import { withNodeNames } from "./node-names.ts";
import type { Rule } from "./rule.ts";
import { failsOnGpu } from "./webgpu-nodes.ts";

export const webgpuRunTime: Rule = {
  goesWrong: "some nodes are placed on the GPU and then fail when they run",
  rewrite: (model, { ep }) =>
    ep === "webgpu" && hasNode(model, failsOnGpu) ? withNodeNames(model, failsOnGpu) : model,
  cpuNode: failsOnGpu,
};
