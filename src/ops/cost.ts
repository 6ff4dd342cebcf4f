/** @file Costs that many operators share. Every figure is `undefined` when a dim is unknown. */
import { countOf } from "./dims.ts";
import type { Cost, CostRule, TypedNode } from "./spec.ts";

export const noCost: CostRule = () => ({ macs: 0, elementwise: 0 });

/** One operation per element of output 0. */
export const costPerOutput: CostRule = (node) => elementwiseCost(countOf(node.output(0)));

/** One operation per element of input 0. */
export const costPerInput: CostRule = (node) => elementwiseCost(countOf(node.input(0)));

/** The work is known to nobody before the run. */
export const unknownCost: CostRule = () => undefined;

export function elementwiseCost(elementwise: number | undefined): Cost | undefined {
  return elementwise === undefined ? undefined : { macs: 0, elementwise };
}

/** `macs` multiply-accumulates; undefined when one of the factors is. */
export function macCost(...factors: readonly (number | string | undefined)[]): Cost | undefined {
  let macs = 1;
  for (const factor of factors) {
    if (typeof factor !== "number") return undefined;
    macs *= factor;
  }
  return { macs, elementwise: 0 };
}

export function addCosts(...costs: readonly (Cost | undefined)[]): Cost | undefined {
  let macs = 0;
  let elementwise = 0;
  for (const cost of costs) {
    if (!cost) return undefined;
    macs += cost.macs;
    elementwise += cost.elementwise;
  }
  return { macs, elementwise };
}

export function outputCount(node: TypedNode, output = 0): number | undefined {
  return countOf(node.output(output));
}
