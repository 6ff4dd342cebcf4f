/** @file Attributes of nodes: typed literals, tensors and subgraphs, and the accessors that read them. */
import { InvalidModelError } from "../errors.ts";
import type { Attribute, Attributes, Graph } from "./graph.ts";
import { clampedNumber, exactBigint, exactNumber } from "./int64.ts";
import type { Tensor } from "./tensor.ts";

interface HasAttributes {
  readonly opType: string;
  readonly name: string;
  readonly attributes: Attributes;
}

/** What a literal in the builder may be; integers become `int`/`ints`, use `float()` for a float that is whole. */
export type AttributeLiteral =
  | number
  | bigint
  | boolean
  | string
  | readonly number[]
  | readonly string[]
  | Tensor
  | Attribute;

export function float(value: number): Extract<Attribute, { readonly type: "float" }> {
  return { type: "float", value };
}

export function floats(value: readonly number[]): Extract<Attribute, { readonly type: "floats" }> {
  return { type: "floats", value };
}

export function graphAttribute(value: Graph): Extract<Attribute, { readonly type: "graph" }> {
  return { type: "graph", value };
}

/** The attribute that a literal stands for. */
export function attributeFrom(literal: AttributeLiteral): Attribute {
  if (typeof literal === "bigint") return { type: "int", value: literal };
  if (typeof literal === "boolean") return { type: "int", value: literal ? 1n : 0n };
  if (typeof literal === "number")
    return Number.isInteger(literal) ? { type: "int", value: exactBigint(literal) } : float(literal);
  if (typeof literal === "string") return { type: "string", value: new TextEncoder().encode(literal) };
  if (isList(literal)) return listAttribute(literal);
  return "dtype" in literal ? { type: "tensor", value: literal } : literal;
}

function isList(literal: AttributeLiteral): literal is readonly number[] | readonly string[] {
  return Array.isArray(literal);
}

function listAttribute(list: readonly number[] | readonly string[]): Attribute {
  const encoder = new TextEncoder();
  if (list.some((item) => typeof item === "string")) {
    return { type: "strings", value: list.map((item) => encoder.encode(String(item))) };
  }
  const numbers = list as readonly number[];
  return numbers.every(Number.isInteger)
    ? { type: "ints", value: numbers.map((value) => exactBigint(value)) }
    : floats(numbers);
}

/** An `int` attribute as a number. @throws UnsupportedError beyond 2^53. */
export function intOf(node: HasAttributes, name: string): number | undefined;
export function intOf(node: HasAttributes, name: string, fallback: number): number;
export function intOf(node: HasAttributes, name: string, fallback?: number): number | undefined {
  const value = read(node, name, "int");
  return value === undefined ? fallback : exactNumber(value, whereOf(node, name));
}

/** An `ints` attribute as numbers. @throws UnsupportedError beyond 2^53. */
export function intsOf(node: HasAttributes, name: string): readonly number[] | undefined {
  return bigintsOf(node, name)?.map((value) => exactNumber(value, whereOf(node, name)));
}

/** The integers of a list as they stand. */
export function bigintsOf(node: HasAttributes, name: string): readonly bigint[] | undefined {
  return read(node, name, "ints");
}

/** Bounds of a range as numbers; what lies beyond 2^53, as in "to the end", is brought to there. */
export function boundsOf(node: HasAttributes, name: string): readonly number[] | undefined {
  return bigintsOf(node, name)?.map(clampedNumber);
}

/** Like `boundsOf`, for one integer. */
export function boundOf(node: HasAttributes, name: string): number | undefined {
  const value = read(node, name, "int");
  return value === undefined ? undefined : clampedNumber(value);
}

export function floatOf(node: HasAttributes, name: string): number | undefined;
export function floatOf(node: HasAttributes, name: string, fallback: number): number;
export function floatOf(node: HasAttributes, name: string, fallback?: number): number | undefined {
  return read(node, name, "float") ?? fallback;
}

export function floatsAttribute(node: HasAttributes, name: string): readonly number[] | undefined {
  return read(node, name, "floats");
}

export function stringOf(node: HasAttributes, name: string): string | undefined;
export function stringOf(node: HasAttributes, name: string, fallback: string): string;
export function stringOf(node: HasAttributes, name: string, fallback?: string): string | undefined {
  const bytes = read(node, name, "string");
  return bytes === undefined ? fallback : new TextDecoder().decode(bytes);
}

export function stringsAttribute(node: HasAttributes, name: string): readonly string[] | undefined {
  return read(node, name, "strings")?.map((bytes) => new TextDecoder().decode(bytes));
}

export function tensorAttribute(node: HasAttributes, name: string): Tensor | undefined {
  return read(node, name, "tensor");
}

export function graphOf(node: HasAttributes, name: string): Graph | undefined {
  return read(node, name, "graph");
}

type ValueOf = {
  [A in Attribute as A["type"]]: A extends { readonly value: infer V } ? V : never;
};

function read<T extends Exclude<Attribute["type"], "reference">>(
  node: HasAttributes,
  name: string,
  type: T,
): ValueOf[T] | undefined {
  const attribute = node.attributes.get(name);
  if (!attribute) return undefined;
  if (attribute.type === type && "value" in attribute) return attribute.value as ValueOf[T];
  throw new InvalidModelError(`attribute "${name}" has the wrong type`, {
    expected: type,
    got: attribute.type,
    where: whereOf(node, name),
  });
}

function whereOf({ name, opType }: HasAttributes, attribute: string): string {
  return `node "${name}" (${opType}), attribute "${attribute}"`;
}
