/** @file Rounding of widths to what kernels compute at once. */

import { maxOf } from "../ir/index.ts";
import type { KernelBlocks } from "../measure/index.ts";
import { checkCount } from "../options.ts";
import type { Width } from "./widths.ts";

/** One number for all widths, or the blocks of a machine by the kind of layer. */
export type Rounding = number | KernelBlocks;

/** What is left of the width is a multiple of this. */
export function blockOf({ axes }: Width, round: Rounding): number {
  if (typeof round === "number") return round;
  return maxOf(axes.map(({ node: { opType } }) => blockOfLayer(opType, round)));
}

/** Norms, activations and tables of embeddings have no block. */
function blockOfLayer(opType: string, { convolution, product }: KernelBlocks): number {
  if (opType.includes("Conv")) return convolution;
  return opType.includes("MatMul") || opType.includes("Gemm") || opType === "Einsum" ? product : 1;
}

/** @throws UsageError for what is no whole number of at least 1 */
export function checkRounding(round: Rounding): void {
  for (const each of typeof round === "number" ? [round] : [round.convolution, round.product])
    checkCount("round", each);
}

export function roundingText(round: Rounding): string {
  if (typeof round === "number") return String(round);
  const { convolution, product } = round;
  return convolution === product ? String(convolution) : `${convolution} (convolutions) and ${product} (products)`;
}

/** Fewer go, until what is left of the width is a multiple of `round`; none where there is no such number. */
export function roundedCount({ positions }: Width, classes: number, count: number, round: number): number {
  if (round === 1) return count;
  const each = positions / classes;
  for (let fewer = count; fewer > 0; fewer--) if ((positions - fewer * each) % round === 0) return fewer;
  return 0;
}
