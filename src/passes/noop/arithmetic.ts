/** @file Arithmetic with a neutral constant. Only where every bit is kept: x + 0 turns -0 into 0, x + -0 and x - 0 do not. */
import { dataTypes, numbersOf, type Tensor, type Value } from "../../ir/index.ts";
import { type Rule, type RuleContext, replaceBy } from "../../rewrite/index.ts";

type Neutral = (value: number, isFloat: boolean) => boolean;

const one: Neutral = (value) => value === 1;
const nothingAdded: Neutral = (value, isFloat) => (isFloat ? Object.is(value, -0) : value === 0);
const nothingTaken: Neutral = (value) => Object.is(value, 0);

const onTheRight = new Map<string, Neutral>([
  ["Mul", one],
  ["Div", one],
  ["Pow", one],
  ["Add", nothingAdded],
  ["Sub", nothingTaken],
]);
const onTheLeft = new Map<string, Neutral>([
  ["Mul", one],
  ["Add", nothingAdded],
]);

export const neutralConstant: Rule = {
  name: "neutral-constant",
  roots: [...onTheRight.keys()],
  apply(node, context) {
    const [a, b] = node.inputs;
    if (!a || !b || node.attributes.has("axis")) return undefined;
    const right = onTheRight.get(node.opType);
    const left = onTheLeft.get(node.opType);
    if (right && isNeutral(context, a, b, right)) return replaceBy("its second input changes nothing", a);
    if (left && isNeutral(context, b, a, left)) return replaceBy("its first input changes nothing", b);
    return undefined;
  },
};

function isNeutral(context: RuleContext, kept: Value, other: Value, neutral: Neutral): boolean {
  const constant = context.constant(other);
  if (!constant || constant.dtype === "string" || !fitsInto(context, kept, constant)) return false;
  const type = context.type(kept);
  if (type?.kind === "tensor" && type.dtype !== constant.dtype) return false;
  const isFloat = dataTypes[constant.dtype].kind === "float";
  return numbersOf(constant).every((value) => neutral(value, isFloat));
}

/** Whether broadcasting `constant` against `kept` leaves the dims of `kept`. */
function fitsInto(context: RuleContext, kept: Value, { dims }: Tensor): boolean {
  if (dims.length === 0) return true;
  const whole = context.dims(kept);
  if (!whole || dims.length > whole.length) return false;
  const offset = whole.length - dims.length;
  return dims.every((dim, i) => dim === 1 || dim === whole[offset + i]);
}
