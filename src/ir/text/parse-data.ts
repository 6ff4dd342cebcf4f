/** @file Numbers and the data of tensors in text. */
import { FormatError } from "../../errors.ts";
import { type ExternalReference, sizeOf, type Tensor, tensor, tensorFromNumbers } from "../tensor.ts";
import { type DataType, dataTypes, type ValueType } from "../types.ts";
import type { Lexer } from "./lexer.ts";

export interface TensorHead {
  readonly dtype: DataType;
  readonly dims: readonly number[];
}

export function integerValue(lexer: Lexer): bigint {
  if (!/^-?[0-9]+$/.test(lexer.peek.text)) throw lexer.wrong("an integer");
  return BigInt(lexer.kind("number").text);
}

const specials = new Map([
  ["inf", Number.POSITIVE_INFINITY],
  ["-inf", Number.NEGATIVE_INFINITY],
  ["nan", Number.NaN],
  ["-nan", Number.NaN],
]);

/** Floats of attributes are float32, as in the file. */
export function floatValue(lexer: Lexer): number {
  return Math.fround(numberValue(lexer));
}

function numberValue(lexer: Lexer): number {
  const special = specials.get(lexer.peek.text);
  if (special !== undefined) {
    lexer.next();
    return special;
  }
  return Number(lexer.kind("number").text);
}

/** The dtype and dims of a tensor with data, which must all be numbers. */
export function tensorHead(lexer: Lexer, type: ValueType | undefined): TensorHead {
  if (type && (type.kind === "tensor" || type.kind === "sparse-tensor")) {
    const dims = type.dims?.filter((dim): dim is number => typeof dim === "number");
    if (dims && dims.length === type.dims?.length) return { dtype: type.dtype, dims };
  }
  throw lexer.wrong("data after a tensor type whose dims are all numbers");
}

/** `{1, 2}`, `["location": "…", …]`, or the digest `{... "…"}` of a tensor in `known`. */
export function parseTensorData(lexer: Lexer, head: TensorHead, known: ReadonlyMap<string, Tensor>): Tensor {
  if (lexer.take("[")) return { ...head, data: parseReference(lexer) };
  const where = lexer.where();
  lexer.expect("{");
  if (lexer.take("...")) {
    const digest = lexer.kind("string").text;
    lexer.expect("}");
    const found = known.get(digest);
    if (found) return found;
    throw new FormatError("the text has only the digest of a tensor", {
      got: digest,
      where,
      hint: "Give the tensor: parseModel(text, { tensors }); or print with a higher { largest }.",
    });
  }
  const count = sizeOf(head.dims) * (dataTypes[head.dtype].kind === "complex" ? 2 : 1);
  const fill = (length: number): void => {
    if (length === count) return;
    throw new FormatError("a tensor's data does not fill its dims", { expected: `${count}`, got: `${length}`, where });
  };
  if (head.dtype === "string") {
    const strings = lexer.list("}", () => lexer.kind("string").bytes);
    fill(strings.length);
    return { ...head, data: strings };
  }
  if (head.dtype === "int64" || head.dtype === "uint64") {
    const integers = lexer.list("}", () => integerValue(lexer));
    fill(integers.length);
    return tensor(head.dtype, head.dims, new (head.dtype === "int64" ? BigInt64Array : BigUint64Array)(integers));
  }
  const numbers = lexer.list("}", () => numberValue(lexer));
  fill(numbers.length);
  return fromNumbers(head, numbers);
}

/** Complex numbers stand as pairs of real ones. */
function fromNumbers(head: TensorHead, numbers: readonly number[]): Tensor {
  if (dataTypes[head.dtype].kind !== "complex") return tensorFromNumbers(head.dtype, head.dims, numbers);
  const real = head.dtype === "complex64" ? "float32" : "float64";
  return { ...head, data: tensorFromNumbers(real, [numbers.length], numbers).data };
}

function parseReference(lexer: Lexer): ExternalReference {
  const fields = new Map<string, string>();
  lexer.list("]", () => {
    const key = lexer.kind("string").text;
    lexer.expect(":");
    fields.set(key, lexer.kind("string").text);
  });
  const number = (key: string): number => {
    const value = Number(fields.get(key) ?? "0");
    if (Number.isSafeInteger(value) && value >= 0) return value;
    throw lexer.wrong(`a length for ${key}`);
  };
  const checksum = fields.get("checksum");
  return {
    location: fields.get("location") ?? "",
    offset: number("offset"),
    ...(fields.has("length") ? { length: number("length") } : {}),
    ...(checksum === undefined ? {} : { checksum }),
  };
}
