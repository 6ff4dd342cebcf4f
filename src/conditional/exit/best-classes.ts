/** @file Answers as classes. */
import { numbersOf, type Tensor } from "../../ir/index.ts";

/** The best class of each row, the first among equals. */
export function bestClasses(logits: Tensor): number[] {
  const [rows = 0, classes = 0] = logits.dims;
  const values = numbersOf(logits);
  return Array.from({ length: rows }, (_, row) => {
    const own = values.subarray(row * classes, (row + 1) * classes);
    return own.reduce((best, value, c) => (value > own[best]! ? c : best), 0);
  });
}
