/** @file Which element types the definition of an operator allows, by version. */
import { type DataType, type Node, qualifiedName, type Value, type ValueType } from "../ir/index.ts";
import { schemaLines, typeSets } from "./schemas.ts";

/** One type of a definition: the values that share it, and what it may be. */
export interface TypeParameter {
  readonly name: string;
  readonly allowed: ReadonlySet<string>;
}

/** The types of a definition's inputs and outputs; `undefined` where each value of a list has a type of its own. */
export interface Signature {
  readonly since: number;
  input(i: number): TypeParameter | undefined;
  output(i: number): TypeParameter | undefined;
}

const sets = typeSets.map((names): ReadonlySet<string> => new Set(names.split(" ")));
let table: ReadonlyMap<string, readonly Signature[]> | undefined;

/** Types of the operator at an opset version of its domain; nothing for operators that no table has. */
export function signatureOf(node: Node, version: number): Signature | undefined {
  table ??= parsed();
  return table.get(qualifiedName(node))?.findLast(({ since }) => since <= version);
}

function parsed(): Map<string, Signature[]> {
  const found = new Map<string, Signature[]>();
  for (const line of schemaLines) {
    const [name = "", since = "", ports = "", ...types] = line.split(" ");
    const [inputs = "", outputs = ""] = ports.split(">");
    const parameters = new Map(types.map(parameterFrom));
    const signature = {
      since: Number(since),
      input: portsFrom(inputs, parameters),
      output: portsFrom(outputs, parameters),
    };
    found.set(name, [...(found.get(name) ?? []), signature]);
  }
  return found;
}

function parameterFrom(text: string): [string, TypeParameter] {
  const [name = "", index = ""] = text.split(":");
  return [name, { name, allowed: sets[Number(index)]! }];
}

function portsFrom(text: string, parameters: ReadonlyMap<string, TypeParameter>): Signature["input"] {
  const ports = text.split(",");
  const last = ports.at(-1)!;
  const isList = /[*+]$/.test(last);
  return (i) => {
    const port = ports[i] ?? (isList ? last : undefined);
    return port === undefined || port.endsWith("+") ? undefined : parameters.get(port.replace("*", ""));
  };
}

/** Why the definition at `version` refuses the node, as far as its values' types are known. */
export function typeProblem(
  node: Node,
  version: number,
  typeOf: (value: Value) => ValueType | undefined,
): string | undefined {
  const signature = signatureOf(node, version);
  if (!signature) return undefined;
  const bound = new Map<TypeParameter, DataType>();
  const refused = (values: Node["inputs"], port: Signature["input"]): string | undefined => {
    for (const [i, value] of values.entries()) {
      const parameter = port(i);
      const type = value && parameter && typeOf(value);
      if (type?.kind !== "tensor" || !parameter) continue;
      if (!parameter.allowed.has(type.dtype))
        return `${type.dtype} of "${value!.name}" is not allowed by ${described(node, version)}`;
      const other = bound.get(parameter) ?? type.dtype;
      if (other !== type.dtype)
        return `"${value!.name}" is ${type.dtype} where ${described(node, version)} has ${other} beside it`;
      bound.set(parameter, type.dtype);
    }
    return undefined;
  };
  return refused(node.inputs, signature.input) ?? refused(node.outputs, signature.output);
}

function described(node: Node, version: number): string {
  return `${qualifiedName(node)} at opset ${version}`;
}
