/** @file Logic in `And` and `Not`, the two connectives that WebGPU has. */
import type { Formulas, Node, Value } from "../../ir/index.ts";
import { type Rule, replaceBy } from "../../rewrite/index.ts";
import { wordsOf } from "./words.ts";

/** a ∨ b = ¬(¬a ∧ ¬b). */
function either(g: Formulas, a: Value, b: Value): Value {
  return g.not(g.and(g.not(a), g.not(b)));
}

function connective(opType: string, write: (g: Formulas, a: Value, b: Value) => Value): Rule {
  return {
    name: opType.toLowerCase(),
    roots: [opType],
    apply({ inputs: [a, b] }: Node, { g }) {
      return a && b ? replaceBy(`${opType} is written in And and Not`, write(wordsOf(g, "bool"), a, b)) : undefined;
    },
  };
}

export const logicRules: readonly Rule[] = [
  connective("Or", either),
  connective("Xor", (g, a, b) => g.and(either(g, a, b), g.not(g.and(a, b)))),
];
