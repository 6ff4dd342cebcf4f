/** @file Types in text: `float[N, ?, 3]`, `seq(…)`, `map(int64, …)`, `optional(…)`, `sparse_tensor(…)`. */
import { must } from "../../checked.ts";
import { type Dim, type TensorType, UNKNOWN_DIM, type ValueType } from "../types.ts";
import type { Lexer } from "./lexer.ts";
import { dtypeByWord, typeWords } from "./vocabulary.ts";

export function isTypeStart(lexer: Lexer): boolean {
  return lexer.isName() && (dtypeByWord.has(lexer.peek.text) || typeWords.has(lexer.peek.text));
}

/** A bare element type is a scalar, empty brackets an unknown rank; `unknown` is no type at all. */
export function parseType(lexer: Lexer): ValueType | undefined {
  if (!isTypeStart(lexer)) throw lexer.wrong("a type");
  const word = lexer.next().text;
  if (word === "unknown") return undefined;
  if (dtypeByWord.has(word)) return tensorNamed(lexer, word);
  lexer.expect("(");
  const type = lexer.nested(() => typeInside(lexer, word));
  lexer.expect(")");
  return type;
}

function typeInside(lexer: Lexer, word: string): ValueType {
  if (word === "seq") return { kind: "sequence", element: parseType(lexer) };
  if (word === "optional") return { kind: "optional", element: parseType(lexer) };
  const key = dtypeByWord.get(lexer.peek.text);
  if (!key) throw lexer.wrong("an element type");
  if (word === "sparse_tensor") return { ...tensorNamed(lexer, lexer.next().text), kind: "sparse-tensor" };
  lexer.next();
  lexer.expect(",");
  return { kind: "map", key, value: parseType(lexer) };
}

function tensorNamed(lexer: Lexer, word: string): TensorType {
  const dtype = must(dtypeByWord, word);
  if (!lexer.take("[")) return { kind: "tensor", dtype, dims: [] };
  const dims = lexer.list("]", () => parseDim(lexer));
  return dims.length === 0 ? { kind: "tensor", dtype } : { kind: "tensor", dtype, dims };
}

function parseDim(lexer: Lexer): Dim {
  if (lexer.take("?")) return UNKNOWN_DIM;
  if (lexer.peek.kind !== "number") return lexer.name();
  const length = Number(lexer.peek.text);
  if (!Number.isSafeInteger(length) || length < 0) throw lexer.wrong("a length, a name or ?");
  lexer.next();
  return length;
}
