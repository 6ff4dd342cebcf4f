/** @file Sizes that follow from what a model only claims - dims, kernels, pads - before memory is taken for them. */
import { LimitError } from "../errors.ts";

/** Elements of the largest array that a claim may cause: half a gigabyte of float64. */
const MOST = 2 ** 26;

/** The count itself, when an array of that many elements may be made. @throws LimitError */
export function boundedSize(count: number, most = MOST): number {
  if (Number.isSafeInteger(count) && count >= 0 && count <= most) return count;
  throw new LimitError("an array that the model asks for is too large", {
    expected: `at most ${most} elements`,
    got: `${count}`,
  });
}
