/** @file Which values of a node may become float16: those that the definition of its operator allows. */
import { type Model, type Node, opsetOf, qualifiedName, type Value, type ValueType } from "../../ir/index.ts";
import { type Signature, signatureOf, type TypeParameter } from "../../ops/index.ts";

/** The dtype of these outputs is what an attribute says, which is converted with them. */
const byAttribute = new Map([
  ["Cast", "to"],
  ["Constant", "value"],
  ["ConstantOfShape", "value"],
]);

export interface Ports {
  /** Whether the definition leaves open what dtype an output has beside float16 inputs. */
  isUndecided(node: Node): boolean;
  takesInput(node: Node, i: number): boolean;
  takesOutput(node: Node, i: number): boolean;
}

/** What the schemas of the model's opset say. */
export function portsOf(model: Model, typeOf: (value: Value) => ValueType | undefined): Ports {
  const version = opsetOf(model);
  const isFloat32 = (value: Value | undefined): boolean => {
    const type = value && typeOf(value);
    return type?.kind === "tensor" && type.dtype === "float32";
  };
  const follows = (node: Node, signature: Signature, parameter: TypeParameter | undefined): boolean =>
    node.inputs.some((value, k) => isFloat32(value) && signature.input(k) === parameter);
  const takesInput = (node: Node, i: number): boolean => allows(signatureOf(node, version)?.input(i));
  return {
    takesInput,
    takesOutput(node, i) {
      const signature = signatureOf(node, version);
      const parameter = signature?.output(i);
      if (!signature || !allows(parameter)) return false;
      const attribute = byAttribute.get(qualifiedName(node));
      if (attribute !== undefined) return node.attributes.has(attribute);
      return follows(node, signature, parameter);
    },
    isUndecided(node) {
      const signature = signatureOf(node, version);
      if (!signature || byAttribute.has(qualifiedName(node))) return !signature;
      return node.outputs.some((value, i) => {
        const parameter = signature.output(i);
        return isFloat32(value) && allows(parameter) && !follows(node, signature, parameter);
      });
    },
  };
}

function allows(parameter: TypeParameter | undefined): boolean {
  return parameter?.allowed.has("float16") ?? false;
}
