/** @file Element-wise operators in arithmetic. */
import { type DataType, dataTypes, type Formulas, floatOf, type Node, type Value } from "../../ir/index.ts";
import { declined, type Rule, replaceBy } from "../../rewrite/index.ts";
import { wordsOf } from "./words.ts";

type Formula = (g: Formulas, inputs: readonly [Value, ...Value[]], node: Node, dtype: DataType) => Value;

/** One rule per formula over float tensors. */
function formula(opType: string, write: Formula): Rule {
  return {
    name: opType.toLowerCase(),
    roots: [opType],
    apply(node, context) {
      const [first, ...others] = node.inputs.filter((value) => value !== undefined);
      const type = context.type(first);
      if (type?.kind !== "tensor" || !first) return declined("the type of its input is not known");
      const { dtype } = type;
      if (dataTypes[dtype].kind !== "float") return declined(`${dtype} stays where it is`);
      const written = write(wordsOf(context.g, dtype), [first, ...others], node, dtype);
      return replaceBy(`${opType} is written in arithmetic`, written);
    },
  };
}

const sum: Formula = (g, inputs) => inputs.reduce((total, value) => g.add(total, value));

const mean: Formula = (g, inputs, node, dtype) => g.div(sum(g, inputs, node, dtype), inputs.length);

/** [x > 0] − [x < 0]. */
const sign: Formula = (g, [x], _, dtype) => {
  const zero = g.number(0, dtype);
  return g.sub(g.mask(g.greater(x, zero), dtype), g.mask(g.less(x, zero), dtype));
};

/** x where x > 0, else α·(exp(x) − 1), times γ. The exponential sees no positive number, so it never overflows. */
const selu: Formula = (g, [x], node, dtype) => {
  const alpha = g.number(floatOf(node, "alpha", 1.6732631921768188), dtype);
  const gamma = g.number(floatOf(node, "gamma", 1.0507010221481323), dtype);
  const zero = g.number(0, dtype);
  const below = g.sub(g.exp(g.min(x, zero)), 1);
  return g.mul(gamma, g.add(g.max(x, zero), g.mul(alpha, below)));
};

/** x / (1 + |x|). */
const softsign: Formula = (g, [x]) => g.div(x, g.add(g.abs(x), 1));

export const elementwiseRules: readonly Rule[] = [
  formula("Sum", sum),
  formula("Mean", mean),
  formula("Sign", sign),
  formula("Selu", selu),
  formula("Softsign", softsign),
];
