/** @file Formulas over values of one dtype, as rules write them in the place of a node. */
import { type DataType, type Formulas, formulas, type GraphBuilder, int64s, scalar } from "../../ir/index.ts";

export function wordsOf(g: GraphBuilder, dtype: DataType): Formulas {
  return formulas({
    op: g.op,
    dtypeOf: () => dtype,
    number: (x, like) => g.constant("number", scalar(like, x)),
    ints: (list) => g.constant("axes", int64s(list)),
  });
}
