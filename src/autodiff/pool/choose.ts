/** @file Which form of a maximum pool's gradient to emit. */
import type { Node } from "../../ir/index.ts";
import type { PoolGeometry } from "../conv/geometry.ts";
import type { PoolChoice } from "./choice.ts";
import { maxPoolForms } from "./max-forms.ts";

/** For the CPU provider: on one thread the indices win, on two the forms are close (`bench/gradient-forms.ts`). */
export const defaultPoolChoice: PoolChoice = { max: () => ["indices", "repeated", "compared"] };

/** Forms that run on WebGPU too, which has no Indices. */
export const portablePoolChoice: PoolChoice = { max: () => ["repeated", "compared"] };

export function maxPoolForm(choice: PoolChoice, geometry: PoolGeometry, node: Node) {
  const name = choice.max(geometry).find((form) => maxPoolForms[form].applies(geometry, node)) ?? "compared";
  return maxPoolForms[name];
}
