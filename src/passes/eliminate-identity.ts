/** @file Removes `Identity` nodes: every use of the output becomes a use of the input. */
import { declined, type Pass, type Rule, replaceBy, rulePass } from "../rewrite/index.ts";

const identity: Rule = {
  name: "identity",
  roots: ["Identity"],
  apply({ inputs: [x], outputs: [y] }) {
    if (!x || !y) return declined("its input or output is omitted");
    return replaceBy("its output is its input", x);
  },
};

/** Exact. An `Identity` between an input, constant or output and another output stays, because both keep their names. */
export function eliminateIdentity(): Pass {
  return rulePass("eliminate-identity", "exact", [identity]);
}
