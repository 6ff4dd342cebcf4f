/** @file What a case has made, told line by line: models, tensors, and the plain values around them. */
import { createHash } from "node:crypto";
import { ir, type Model, onnx, type Tensor, type Value } from "./lithe.ts";

/** How the parts of what was made are told. */
interface Telling {
  model(model: Model): string;
  tensor(tensor: Tensor): string;
  number(value: number): string;
}

/** Floats of tensors up to this length are told by value. */
const FEW = 4;

/** Integers of quantized tensors up to this length are told by value, and those of all other tensors. */
const MANY = 64;

const DIGITS = 5;

/** In the place of values that are not told. */
const untold = { location: "values", offset: 0 };

const byStructure: Telling = {
  model: (model) => ir.printModel(onnx.mapTensors(model, outline)),
  tensor: ({ dtype, dims }) => `${dtype}[${dims}]`,
  number: (value) => `${rounded(value)}`,
};

const byBytes: Telling = {
  model: (model) => `file ${digestOf(onnx.encodeModel(model))}\n${ir.printModel(model, { largest: FEW })}`,
  tensor: (tensor) => `${byStructure.tensor(tensor)} ${digestOf(ir.bytesOfTensor(tensor))}`,
  number: String,
};

/**
 * What is the same on every machine: nodes, names, attributes, edges, types and dims, integers, and the first digits of single floats. The
 * last bits of floats are those of the machine's functions, so long lists of them, and of the few-bit integers that stand for
 * them, are told by type and dims alone.
 */
export function structureOf(made: unknown): string {
  return [...linesOf("made", made, byStructure)].join("\n");
}

/** All of it: the structure with every number, and the digest of the file that each model is written to. */
export function bytesOf(made: unknown): string {
  return [...linesOf("made", made, byBytes)].join("\n");
}

export function digestOf(data: string | Uint8Array): string {
  return createHash("sha256").update(data).digest("hex").slice(0, 20);
}

function outline(tensor: Tensor): Tensor {
  const { dtype, dims } = tensor;
  const { kind, bits } = ir.dataTypes[dtype];
  const size = ir.sizeOf(dims);
  if (kind === "float" && size <= FEW) {
    return ir.tensorFromNumbers(dtype, dims, Array.from(ir.numbersOf(tensor), rounded));
  }
  const isFloating = kind === "float" || kind === "complex";
  const isStored = kind !== "bool" && bits <= 8;
  return isFloating || (isStored && size > MANY) ? { ...tensor, data: untold } : tensor;
}

function rounded(value: number): number {
  return Number.isInteger(value) ? value : Number(value.toPrecision(DIGITS));
}

function* linesOf(path: string, made: unknown, telling: Telling): Generator<string> {
  if (typeof made === "function" || made === undefined) return;
  if (isModel(made)) yield `${path}:\n${telling.model(made)}`;
  else if (isTensor(made)) yield `${path}: ${telling.tensor(made)}`;
  else if (isValue(made)) yield `${path}: ${ir.formatType(made.type)} ${made.name}`;
  else if (typeof made === "number") yield `${path}: ${telling.number(made)}`;
  else if (typeof made !== "object" || made === null)
    yield `${path}: ${typeof made === "string" ? made : String(made)}`;
  else for (const [key, part] of partsOf(made)) yield* linesOf(`${path}.${key}`, part, telling);
}

function partsOf(made: object): Iterable<readonly [unknown, unknown]> {
  if (made instanceof Map) return [...made].map(([key, part]) => [isValue(key) ? key.name : key, part] as const);
  if (made instanceof Set) return [...made].entries();
  return Object.entries(made);
}

function has<Key extends string>(made: unknown, ...keys: readonly Key[]): made is Record<Key, unknown> {
  return typeof made === "object" && made !== null && keys.every((key) => key in made);
}

function isModel(made: unknown): made is Model {
  return has(made, "graph", "opsets", "functions");
}

function isTensor(made: unknown): made is Tensor {
  return has(made, "dtype", "dims", "data");
}

function isValue(made: unknown): made is Value {
  return has(made, "name", "type") && has(made.type, "kind") && typeof made.name === "string";
}
