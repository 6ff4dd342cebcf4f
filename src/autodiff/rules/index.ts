/** @file The gradient of every operator in the table of `ops/`. An operator without an entry does not compile. */
import { type Node, qualifiedName } from "../../ir/index.ts";
import type { OpType } from "../../ops/index.ts";
import type { GradientEntry } from "../rule.ts";
import { attentions } from "./attention.ts";
import { controls } from "./control.ts";
import { convolutions } from "./conv.ts";
import { elementwise } from "./elementwise.ts";
import { fused } from "./fused.ts";
import { indexing } from "./gather.ts";
import { images } from "./image.ts";
import { losses } from "./loss.ts";
import { products } from "./matmul.ts";
import { movements } from "./movement.ts";
import { norms } from "./norm.ts";
import { pools } from "./pool.ts";
import { quantization } from "./quant.ts";
import { recurrences } from "./recurrent.ts";
import { reductions } from "./reduce.ts";
import { sources } from "./source.ts";
import { withoutGradient } from "./without-gradient.ts";

export const gradientTable = {
  ...elementwise,
  ...products,
  ...reductions,
  ...movements,
  ...indexing,
  ...norms,
  ...convolutions,
  ...pools,
  ...images,
  ...losses,
  ...attentions,
  ...recurrences,
  ...controls,
  ...quantization,
  ...fused,
  ...sources,
  ...withoutGradient,
} satisfies Record<OpType, GradientEntry>;

const table = new Map<string, GradientEntry>(Object.entries(gradientTable));

/** The entry of a node's operator; `undefined` for an operator that lithe does not know. */
export function entryOf(node: Pick<Node, "opType" | "domain">): GradientEntry | undefined {
  return table.get(qualifiedName(node));
}
