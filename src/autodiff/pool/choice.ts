/** @file Names of the forms of a maximum pool's gradient, and preferences among them. */
import type { PoolGeometry } from "../conv/geometry.ts";

export type MaxPoolFormName = "indices" | "repeated" | "compared";

/** Preferences for a geometry, best first; a form that does not apply is passed over. */
export interface PoolChoice {
  max(geometry: PoolGeometry): readonly MaxPoolFormName[];
}
