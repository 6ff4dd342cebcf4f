/** @file What branches change about their common input. */
import { ShapeError } from "../../errors.ts";
import { formatType, sameValueType, type Value } from "../../ir/index.ts";
import type { Layers } from "../network.ts";

/**
 * yⱼ − x for every branch.
 *
 * @throws ShapeError where a branch does not keep the dims of its input.
 */
export function changes(n: Layers, x: Value, outputs: readonly Value[]): Value[] {
  return outputs.map((y, j) => {
    if (sameValueType(x.type, y.type)) return n.sub(y, x);
    throw new ShapeError("a branch beside an identity path has to keep the dims of its input", {
      expected: formatType(x.type),
      got: formatType(y.type),
      where: `branch ${j}`,
      hint: "Combine these branches by their sum or mean.",
    });
  });
}
