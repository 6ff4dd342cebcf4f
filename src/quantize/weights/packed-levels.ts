/** @file Weights of at most three levels for each output, one or two bits each, and the nodes that unpack them. */
import type { Layer } from "../../calibration/index.ts";
import {
  type AttributeLiteral,
  type Draft,
  floatsOf,
  int64s,
  makeNode,
  scalar,
  type Tensor,
  tensor,
  tensorFromNumbers,
  type Value,
} from "../../ir/index.ts";

export interface Levels {
  readonly bits: 1 | 2;
  /** The level above zero, and the magnitude of that below, by output. */
  readonly above: Float32Array;
  readonly below: Float32Array;
  /** At the places of the weights: 0, 1 and 2 for below, zero and above; 0 and 1 where none is zero. */
  readonly codes: Uint8Array;
}

/** `undefined` where an output has more levels than one above zero, one below and zero. */
export function levelsOf({ rows, columns, position, weightTensor }: Layer): Levels | undefined {
  const weights = floatsOf(weightTensor);
  const [above, below] = [new Float32Array(rows), new Float32Array(rows)];
  const codes = new Uint8Array(weights.length);
  let hasZeros = false;
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const at = position(row, column);
      const weight = weights[at]!;
      codes[at] = weight > 0 ? 2 : weight < 0 ? 0 : 1;
      if (weight === 0) hasZeros = true;
      else if (!isLevel(weight > 0 ? above : below, row, Math.abs(weight))) return undefined;
    }
    if (above[row] === 0) above[row] = below[row]!;
    if (below[row] === 0) below[row] = above[row]!;
  }
  const isBinary = !hasZeros && isSymmetric({ above, below });
  return { bits: isBinary ? 1 : 2, above, below, codes: isBinary ? codes.map((code) => code >> 1) : codes };
}

/** Whether a magnitude is the level of its output, which the first one decides. */
function isLevel(levels: Float32Array, row: number, magnitude: number): boolean {
  if (levels[row] === 0) levels[row] = magnitude;
  return levels[row] === magnitude;
}

function isSymmetric({ above, below }: Pick<Levels, "above" | "below">): boolean {
  return above.every((level, i) => level === below[i]);
}

type Emit = (
  opType: string,
  inputs: readonly Value[],
  attributes?: Readonly<Record<string, AttributeLiteral | undefined>>,
) => Value;

type Store = (suffix: string, content: Tensor) => Value;

/** Adds nodes that make the weights of their codes, from constants alone, and gives what they make. */
export function unpackedWeight(
  draft: Draft,
  { weight: { name }, weightTensor, channelAxis }: Layer,
  levels: Levels,
): Value {
  const { bits, above, below } = levels;
  const emit: Emit = (opType, inputs, attributes = {}) => {
    const output = draft.value(`${name}_${opType}`);
    draft.prepend(makeNode(opType, inputs, [output], { name: output.name, attributes }));
    return output;
  };
  const store: Store = (suffix, content) => draft.constant(`${name}_${suffix}`, content);
  const along = weightTensor.dims.map((dim, axis) => (axis === channelAxis ? dim : 1));
  const perOutput = (suffix: string, numbers: Float32Array) =>
    store(suffix, tensorFromNumbers("float32", along, numbers));
  const codes = unpackedCodes(emit, store, levels, weightTensor.dims);
  const middle = store("middle", scalar("float32", bits === 1 ? 0.5 : 1));
  const signs = emit("Sub", [emit("Cast", [codes], { to: 1 }), middle]);
  if (bits === 1)
    return emit("Mul", [
      signs,
      perOutput(
        "levels",
        above.map((level) => 2 * level),
      ),
    ]);
  if (isSymmetric(levels)) return emit("Mul", [signs, perOutput("levels", above)]);
  const up = emit("Mul", [emit("Relu", [signs]), perOutput("above", above)]);
  const down = emit("Mul", [emit("Relu", [emit("Neg", [signs])]), perOutput("below", below)]);
  return emit("Sub", [up, down]);
}

/** The codes as uint8 in the dims of the weights. */
function unpackedCodes(emit: Emit, store: Store, { bits, codes }: Levels, dims: readonly number[]): Value {
  const perByte = 8 / bits;
  const bytes = packedCodes(codes, bits);
  const column = store(`packed${bits}`, tensor("uint8", [bytes.length, 1], bytes));
  const row = new Uint8Array(perByte).map((_, i) => i * bits);
  const shifts = store("shifts", tensor("uint8", [1, perByte], row));
  const shifted = emit("BitShift", [column, shifts], { direction: "RIGHT" });
  const masked = emit("BitwiseAnd", [shifted, store("mask", scalar("uint8", 2 ** bits - 1))]);
  const flat = emit("Reshape", [masked, store("flat", int64s([-1]))]);
  const isFull = codes.length % perByte === 0;
  const own = isFull ? flat : emit("Slice", [flat, store("start", int64s([0])), store("end", int64s([codes.length]))]);
  return emit("Reshape", [own, store("dims", int64s(dims))]);
}

/** The first of a byte's codes in its lowest bits. */
function packedCodes(codes: Uint8Array, bits: 1 | 2): Uint8Array {
  const perByte = 8 / bits;
  const bytes = new Uint8Array(Math.ceil(codes.length / perByte));
  for (const [i, code] of codes.entries()) bytes[Math.floor(i / perByte)]! |= code << ((i % perByte) * bits);
  return bytes;
}
