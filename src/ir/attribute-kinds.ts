/** @file What an attribute of each kind may be written as; a float is written `float(1)`, since a number that is whole is an int. */
import type { Attribute } from "./graph.ts";
import type { Tensor } from "./tensor.ts";

type Of<T extends Attribute["type"]> = Extract<Attribute, { readonly type: T }>;

export type Int = number | bigint | boolean | Of<"int"> | undefined;
export type Ints = readonly number[] | Of<"ints"> | undefined;
export type Float = Of<"float"> | undefined;
export type Floats = Of<"floats"> | undefined;
export type Text = string | Of<"string"> | undefined;
export type Texts = readonly string[] | Of<"strings"> | undefined;
export type Dense = Tensor | Of<"tensor"> | undefined;
export type Sparse = Of<"sparse-tensor"> | undefined;
export type Body = Of<"graph"> | undefined;
export type Type = Of<"type"> | undefined;

/** Of an attribute that the operator requires. */
export type Given<Kind> = Exclude<Kind, undefined>;

/** The operator has no attributes. */
export interface None {
  readonly [name: string]: undefined;
}
