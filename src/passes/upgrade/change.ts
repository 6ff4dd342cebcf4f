/** @file What an upgrade of one operator may use: fresh values, constants, and what is known about its inputs. */
import {
  type AttributeLiteral,
  attributeFrom,
  type DataType,
  type Dims,
  makeNode,
  type Node,
  type NodeParts,
  type Tensor,
  type Value,
} from "../../ir/index.ts";
import type { Declined } from "../../rewrite/index.ts";

export interface UpgradeContext {
  /** A new value between the nodes of a replacement. */
  value(name: string): Value;
  /** A new int64 vector. */
  ints(name: string, values: readonly (number | bigint)[]): Value;
  constant(name: string, tensor: Tensor): Value;
  /** The constant behind a value, if there is one. */
  known(value: Value | undefined): Tensor | undefined;
  dims(value: Value | undefined): Dims | undefined;
  dtype(value: Value | undefined): DataType | undefined;
  isUsed(value: Value | undefined): boolean;
  /** The nodes that read a value. */
  readers(value: Value | undefined): readonly Node[];
}

/**
 * The nodes that mean at the next version what `node` means at the one before, making the same outputs; `undefined` when the
 * node may stay as it is.
 */
export interface Upgrade {
  (node: Node, context: UpgradeContext): readonly Node[] | Declined | undefined;
  /** The attribute that is all that changed: a node without it means the same before and after. */
  readonly moves?: string;
}

/** Upgrades by operator, for one opset version. */
export type Stage = Readonly<Record<string, Upgrade>>;

interface Change {
  readonly opType?: string;
  readonly inputs?: readonly (Value | undefined)[];
  readonly outputs?: readonly (Value | undefined)[];
  /** Attributes to set; `undefined` takes one away. */
  readonly attributes?: Readonly<Record<string, AttributeLiteral | undefined>>;
}

/** The node with some of its parts changed. */
export function changed(node: Node, { attributes = {}, ...parts }: Change): Node {
  const next = new Map(node.attributes);
  for (const [name, literal] of Object.entries(attributes)) {
    if (literal === undefined) next.delete(name);
    else next.set(name, attributeFrom(literal));
  }
  const result: Node = { ...node, ...parts, attributes: next };
  return result;
}

/** A node in front of or behind the upgraded one. */
export function extra(
  opType: string,
  inputs: readonly (Value | undefined)[],
  output: Value,
  attributes: NonNullable<NodeParts["attributes"]> = {},
): Node {
  return makeNode(opType, inputs, [output], { name: output.name, attributes });
}

/** A name for what belongs to a node: that of its first output. */
export function nameOf(node: Node, part: string): string {
  return `${node.outputs.find((value) => value)?.name ?? node.name}_${part}`;
}

/** Moves an `ints` attribute to an input; without the attribute the node stays as it is. */
export function intsToInput(attribute: string, input: number): Upgrade {
  const move = (node: Node, context: UpgradeContext): Node[] | undefined => {
    const found = node.attributes.get(attribute);
    if (found?.type !== "ints") return undefined;
    const inputs = [...node.inputs];
    while (inputs.length < input) inputs.push(undefined);
    inputs[input] = context.ints(nameOf(node, attribute), found.value);
    return [changed(node, { inputs, attributes: { [attribute]: undefined } })];
  };
  return Object.assign(move, { moves: attribute });
}
