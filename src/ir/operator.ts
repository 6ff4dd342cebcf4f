/** @file Operators as types: their names, and what each of them may be given. */
import type { AttributeLiteral } from "./attribute.ts";
import type { Value } from "./graph.ts";
import type { OperatorAttributes } from "./operator-attributes.ts";

/** `Conv`, or with a domain other than that of ONNX `com.microsoft::MoE`. */
export type OperatorName = keyof OperatorAttributes;

export type Inputs = readonly (Value | undefined)[];

/** The attributes of an operator; an optional one that is `undefined` is left out. */
export type AttributesOf<K extends OperatorName> = Readonly<OperatorAttributes[K]>;

/** Attributes and options as parameters: attributes may be left out where the operator requires none. */
export type Settings<K extends OperatorName, Options> =
  Partial<AttributesOf<K>> extends AttributesOf<K>
    ? [attributes?: AttributesOf<K>, options?: Options]
    : [attributes: AttributesOf<K>, options?: Options];

type NamesIn<T> = T extends unknown ? (string extends keyof T ? never : keyof T) : never;
type KindsOf<T, A> = T extends unknown ? (A extends keyof T ? (string extends keyof T ? never : T[A]) : never) : never;

/** Attributes that at least one operator has. */
export type AnyAttributes = {
  readonly [A in NamesIn<OperatorAttributes[OperatorName]>]?: KindsOf<OperatorAttributes[OperatorName], A> | undefined;
};

/** Attributes by name, where it is not known of which operator. */
export type BuilderAttributes = Readonly<Record<string, AttributeLiteral | undefined>>;

/** The outputs of a node: as many as a literal count says. */
export type Outputs<N extends number> = N extends unknown ? (number extends N ? Value[] : Tuple<N>) : never;

type Tuple<N extends number, T extends Value[] = []> = T["length"] extends N ? T : Tuple<N, [...T, Value]>;
