/** @file Which form of a maximum pool's gradient to emit. */
import type { Node } from "../../ir/index.ts";
import type { PoolGeometry } from "../conv/geometry.ts";
import { maxPoolForms } from "./max-forms.ts";

export type MaxPoolFormName = keyof typeof maxPoolForms;

/** Preferences for a geometry, best first; a form that does not apply is passed over. */
export interface PoolChoice {
  max(geometry: PoolGeometry): readonly MaxPoolFormName[];
}

/** Rules of thumb for the CPU provider. */
export const defaultPoolChoice: PoolChoice = { max: () => ["repeated", "indices", "compared"] };

/** Forms that run on WebGPU too, which has no Indices. */
export const portablePoolChoice: PoolChoice = { max: () => ["repeated", "compared"] };

export function maxPoolForm(choice: PoolChoice, geometry: PoolGeometry, node: Node) {
  const name = choice.max(geometry).find((form) => maxPoolForms[form].applies(geometry, node)) ?? "compared";
  return maxPoolForms[name];
}
