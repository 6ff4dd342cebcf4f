/** @file Element-wise operators in arithmetic. */
import { type DataType, dataTypes, floatOf, type GraphBuilder, type Node, scalar, type Value } from "../../ir/index.ts";
import { declined, type Rule, replaceBy } from "../../rewrite/index.ts";

/** What a formula may use beside the node: constants and casts of its own dtype. */
interface Arithmetic {
  readonly g: GraphBuilder;
  readonly dtype: DataType;
  number(x: number): Value;
  cast(x: Value): Value;
}

type Formula = (a: Arithmetic, inputs: readonly Value[], node: Node) => Value;

/** One rule per formula over float tensors. */
function formula(opType: string, write: Formula): Rule {
  return {
    name: opType.toLowerCase(),
    roots: [opType],
    apply(node, context) {
      const inputs = node.inputs.filter((value) => value !== undefined);
      const type = context.type(inputs[0]);
      if (type?.kind !== "tensor" || inputs.length === 0) return declined("the type of its input is not known");
      const { dtype } = type;
      if (dataTypes[dtype].kind !== "float") return declined(`${dtype} stays where it is`);
      const { g } = context;
      const arithmetic: Arithmetic = {
        g,
        dtype,
        number: (x) => g.constant("number", scalar(dtype, x)),
        cast: (x) => g.op("Cast", [x], { to: dataTypes[dtype].code }),
      };
      return replaceBy(`${opType} is written in arithmetic`, write(arithmetic, inputs, node));
    },
  };
}

function sum({ g }: Arithmetic, inputs: readonly Value[]): Value {
  return inputs.reduce((total, value) => g.op("Add", [total, value]));
}

/** [x > 0] − [x < 0]. */
function sign({ g, cast, number }: Arithmetic, [x]: readonly Value[]): Value {
  const zero = number(0);
  return g.op("Sub", [cast(g.op("Greater", [x, zero])), cast(g.op("Less", [x, zero]))]);
}

/** x where x > 0, else α·(exp(x) − 1), times γ. The exponential sees no positive number, so it never overflows. */
function selu({ g, number }: Arithmetic, [x]: readonly Value[], node: Node): Value {
  const alpha = number(floatOf(node, "alpha", 1.6732631921768188));
  const gamma = number(floatOf(node, "gamma", 1.0507010221481323));
  const zero = number(0);
  const below = g.op("Sub", [g.op("Exp", [g.op("Min", [x, zero])]), number(1)]);
  return g.op("Mul", [gamma, g.op("Add", [g.op("Max", [x, zero]), g.op("Mul", [alpha, below])])]);
}

/** x / (1 + |x|). */
function softsign({ g, number }: Arithmetic, [x]: readonly Value[]): Value {
  return g.op("Div", [x, g.op("Add", [g.op("Abs", [x]), number(1)])]);
}

export const elementwiseRules: readonly Rule[] = [
  formula("Sum", sum),
  formula("Mean", (a, inputs) => a.g.op("Div", [sum(a, inputs), a.number(inputs.length)])),
  formula("Sign", sign),
  formula("Selu", selu),
  formula("Softsign", softsign),
];
