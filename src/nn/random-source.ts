/** Where initial values come from; `random(seed)` of the data folder is one. */
export interface RandomSource {
  /** Uniform in [0, 1). */
  uniform(): number;
  /** Standard normal. */
  normal(): number;
}
