/** @file Which tensor of which update a part of an exchange works on. */

/** A tensor in one update on one rank. */
export interface Place {
  readonly name: string;
  readonly dims: readonly number[];
  /** Its number among the tensors that are compressed, the same on all ranks. */
  readonly index: number;
  /** From 1. */
  readonly update: number;
  readonly rank: number;
}

/** Values of a tensor of such dims. */
export function sizeOf({ dims }: Pick<Place, "dims">): number {
  return dims.reduce((a, b) => a * b, 1);
}
