/** @file Removes nodes that change nothing and merges chains of reshapes, transposes and casts. */
import { type Pass, rulePass, typesApart } from "../rewrite/index.ts";
import { neutralConstant } from "./noop/arithmetic.ts";
import { castOfWideningCast, castToItself } from "./noop/cast.ts";
import { reshapeOfReshape, reshapeToItself } from "./noop/reshape.ts";
import { emptyPad, expandToItself, fullSlice, joinOfOne, splitIntoOne, tileOnce } from "./noop/selection.ts";
import { transposeOfTranspose, transposeToItself } from "./noop/transpose.ts";

const rules = [
  reshapeToItself,
  reshapeOfReshape,
  transposeToItself,
  transposeOfTranspose,
  castToItself,
  castOfWideningCast,
  neutralConstant,
  joinOfOne,
  splitIntoOne,
  emptyPad,
  tileOnce,
  expandToItself,
  fullSlice,
];

/** Exact: every element keeps its bits. What depends on dims applies where inference knows them. */
export function eliminateNoop(): Pass {
  return rulePass("eliminate-noop", "exact", rules, { types: typesApart });
}
