/** @file The words of the ONNX text syntax: element types, attribute types, names, strings, numbers. */
import type { Attribute } from "../graph.ts";
import { type DataType, dataTypes } from "../types.ts";

/** Element types keep their names but for the two that ONNX calls as C does. */
export function wordOf(dtype: DataType): string {
  return dtype === "float32" ? "float" : dtype === "float64" ? "double" : dtype;
}

export const dtypeByWord = new Map<string, DataType>(
  Object.keys(dataTypes).map((name) => [wordOf(name as DataType), name as DataType]),
);

type AttributeType = Exclude<Attribute["type"], "reference">;

export const attributeWords = {
  float: "float",
  int: "int",
  string: "string",
  tensor: "tensor",
  graph: "graph",
  "sparse-tensor": "sparse_tensor",
  type: "type_proto",
  floats: "floats",
  ints: "ints",
  strings: "strings",
  tensors: "tensors",
  graphs: "graphs",
  "sparse-tensors": "sparse_tensors",
  types: "type_protos",
} satisfies Record<AttributeType, string>;

export const attributeTypeByWord = new Map<string, AttributeType>(
  Object.entries(attributeWords).map(([type, word]) => [word, type as AttributeType]),
);

/** A plain identifier as it is, anything else in quotes. */
export function quotedName(name: string): string {
  const plain = /^[A-Za-z_][A-Za-z0-9_]*$/.test(name);
  return plain && !dtypeByWord.has(name) && !typeWords.has(name) ? name : quoted(new TextEncoder().encode(name));
}

/** Words that begin a type, so that a name like them is put in quotes. */
export const typeWords: ReadonlySet<string> = new Set(["seq", "map", "optional", "sparse_tensor", "unknown"]);

/** Bytes as a string literal; what is not text is written `\xHH`. */
export function quoted(bytes: Uint8Array): string {
  let text = "";
  for (const char of decodedLoosely(bytes)) text += typeof char === "number" ? hex(char) : escaped(char);
  return `"${text}"`;
}

function escaped(char: string): string {
  if (char === '"' || char === "\\") return `\\${char}`;
  if (char === "\n") return "\\n";
  return char < " " || char === "\u007f" ? hex(char.charCodeAt(0)) : char;
}

function hex(byte: number): string {
  return `\\x${byte.toString(16).padStart(2, "0")}`;
}

/** Characters where the bytes are UTF-8, otherwise all bytes above 127 as numbers. */
function decodedLoosely(bytes: Uint8Array): (string | number)[] {
  try {
    return [...new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes)];
  } catch {
    return Array.from(bytes, (byte) => (byte < 0x80 ? String.fromCharCode(byte) : byte));
  }
}

/** The shortest decimal that a reader of `bits`-wide floats takes for `value`. */
export function decimal(value: number, isSame: (candidate: number) => boolean): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  if (Object.is(value, -0)) return "-0";
  for (let digits = 1; digits < 17; digits++) {
    const text = value.toPrecision(digits);
    if (isSame(Number(text))) return String(Number(text));
  }
  return String(value);
}
