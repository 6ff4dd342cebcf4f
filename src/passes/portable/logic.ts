/** @file Logic in `And` and `Not`, the two connectives that WebGPU has. */
import type { GraphBuilder, Node, Value } from "../../ir/index.ts";
import { type Rule, replaceBy } from "../../rewrite/index.ts";

const not = (g: GraphBuilder, a: Value): Value => g.op("Not", [a]);
const and = (g: GraphBuilder, a: Value, b: Value): Value => g.op("And", [a, b]);

/** a ∨ b = ¬(¬a ∧ ¬b). */
function either(g: GraphBuilder, a: Value, b: Value): Value {
  return not(g, and(g, not(g, a), not(g, b)));
}

function connective(opType: string, write: (g: GraphBuilder, a: Value, b: Value) => Value): Rule {
  return {
    name: opType.toLowerCase(),
    roots: [opType],
    apply({ inputs: [a, b] }: Node, { g }) {
      return a && b ? replaceBy(`${opType} is written in And and Not`, write(g, a, b)) : undefined;
    },
  };
}

export const logicRules: readonly Rule[] = [
  connective("Or", either),
  connective("Xor", (g, a, b) => and(g, either(g, a, b), not(g, and(g, a, b)))),
];
