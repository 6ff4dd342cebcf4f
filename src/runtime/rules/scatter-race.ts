import { UnsupportedError } from "../../errors.ts";
import { allGraphs, describeNode } from "../../ir/index.ts";
import type { Rule } from "./rule.ts";
import { hasUniqueIndices } from "./unique-indices.ts";

export const scatterRace: Rule = {
  goesWrong: "ScatterND with a reduction loses updates when indices repeat and there are several threads",
  check(model, { ep, threads }) {
    if (threads === 1 || ep === "webgpu") return;
    for (const graph of allGraphs(model.graph)) {
      const racy = graph.nodes.find((node) => node.opType === "ScatterND" && !hasUniqueIndices(graph, node));
      if (racy) {
        throw new UnsupportedError("ScatterND with a reduction races on several threads", {
          where: describeNode(racy),
          hint: "Use ScatterElements, or one thread.",
        });
      }
    }
  },
};
