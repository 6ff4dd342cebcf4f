/** @file What a pass did, as JSON lines. */
import { allNodes, type Model } from "../ir/index.ts";
import type { Pass } from "./pass.ts";

/**
 * The same pass, which writes one JSON line for each rewrite it made or declined (`pass`, `rule`, `kind`, `reason`, `nodes`), then
 * one for the whole run: `pass`, `changed`, `nodesBefore`, `nodesAfter` and `ms`.
 */
export function traced(pass: Pass, write: (line: string) => void): Pass {
  return {
    ...pass,
    async run(model) {
      const start = performance.now();
      const result = await pass.run(model);
      const ms = Math.round((performance.now() - start) * 1000) / 1000;
      for (const note of result.notes ?? []) write(JSON.stringify(note));
      const [nodesBefore, nodesAfter] = [countNodes(model), countNodes(result.model)];
      write(JSON.stringify({ pass: pass.name, changed: result.model !== model, nodesBefore, nodesAfter, ms }));
      return result;
    },
  };
}

function countNodes(model: Model): number {
  let count = 0;
  for (const _ of allNodes(model)) count++;
  return count;
}
