/** @file Types for which the web build with WebGPU has no kernels. */

import { UnsupportedError } from "../../errors.ts";
import { allGraphs, type DataType, type Graph } from "../../ir/index.ts";
import type { Rule } from "./rule.ts";
import { firstOfTypes } from "./used-types.ts";

export const reducedTypes: Rule = {
  goesWrong: "the web build with WebGPU has no kernels for float64 and 16-bit integers, and fails without naming them",
  check(model, { reduced }) {
    if (!reduced) return;
    for (const graph of allGraphs(model.graph)) {
      const found = reducedType(graph);
      if (found === undefined) continue;
      throw new UnsupportedError("this build of the runtime leaves a type of the model out", {
        got: found,
        hint: 'Keep to float32, float16, bool and integers of 8, 32 and 64 bits, as steps of the profile "portable" do.',
      });
    }
  },
};

const absent: ReadonlySet<DataType> = new Set(["float64", "int16", "uint16"]);

/** The first value or Cast of such a type in a graph, in words. */
export function reducedType(graph: Graph): string | undefined {
  return firstOfTypes(graph, absent);
}
