/** @file Laying the values of n branches side by side: moves of the branch axis, stacked parameters, sums. */
import { nth } from "../checked.ts";
import { UnsupportedError } from "../errors.ts";
import {
  type DataType,
  type Dims,
  type GraphBuilder,
  int64s,
  scalar,
  type Tensor,
  tensorType,
  type Value,
} from "../ir/index.ts";
import type { FusionOptions } from "./fusion-options.ts";
import { type Operand, type Stacked, stacked } from "./operand.ts";
import { type OwnConstants, ownConstants } from "./own-constants.ts";
import type { Fusion, FusionForm, Parts } from "./rule.ts";

export function fusionOver(options: FusionOptions): Fusion {
  return new Layout(options, ownConstants(options));
}

class Layout implements Fusion {
  readonly count: number;
  readonly form: FusionForm;
  readonly #options: FusionOptions;
  readonly #own: OwnConstants;
  readonly #merged = new Map<Value, Value>();
  readonly #made = new Map<string, Value>();
  readonly #parts = new Map<Value, Parts>();
  readonly #ids = new Map<Value, number>();

  constructor(options: FusionOptions, own: OwnConstants) {
    this.count = options.count;
    this.form = options.form;
    this.#options = options;
    this.#own = own;
  }

  get op(): GraphBuilder["op"] {
    return this.#options.g.op;
  }

  get ops(): GraphBuilder["ops"] {
    return this.#options.g.ops;
  }

  get like(): GraphBuilder["like"] {
    return this.#options.g.like;
  }

  ints(list: readonly number[]): Value {
    return this.#once(`ints ${list}`, () => this.#options.g.constant("ints", int64s(list)));
  }

  number(x: number, dtype: DataType): Value {
    return this.#once(`${dtype} ${x}`, () => this.#options.g.constant("number", scalar(dtype, x)));
  }

  dims(value: Value | undefined): Dims {
    return this.#tensorType(value).dims;
  }

  dimsOf(operand: Operand): Dims {
    if (operand.kind === "stacked") return this.dims(operand.value).toSpliced(operand.axis, 1);
    return this.dims(operand.kind === "own" || operand.kind === "parts" ? operand.values[0] : operand.value);
  }

  dtype(value: Value | undefined): DataType {
    return this.#tensorType(value).dtype;
  }

  constant(operand: Operand | undefined): Tensor | undefined {
    return operand?.kind === "common" ? this.#options.constantOf(operand.value) : undefined;
  }

  at(operand: Operand, axis: number): Value {
    if (operand.kind === "common") return this.#unsqueezed(operand.value, [axis]);
    if (operand.kind === "sum") throw new UnsupportedError("a sum over the branches has no branch axis");
    if (operand.kind === "own") return this.#own.stacked(operand.values, axis);
    if (operand.kind === "stacked") return this.#moved(operand.value, operand.axis, axis);
    return this.#once(`parts ${this.#id(nth(operand.values, 0))} ${axis}`, () => {
      const whole = this.#options.wholeOf(operand.values);
      if (!whole) {
        const rows = operand.values.map((value) => this.#unsqueezed(value, [axis]));
        return this.op("Concat", rows, { axis });
      }
      const dims = this.dims(operand.values[0]).toSpliced(whole.axis, 0, this.count);
      return this.#moved(this.reshape(whole.value, dims), whole.axis, axis);
    });
  }

  aligned(operand: Operand, axis: number, rank: number): Value {
    const place = axis - (rank - operand.rank);
    if (operand.kind === "common") return place <= 0 ? operand.value : this.#unsqueezed(operand.value, [place]);
    if (operand.kind === "own" && operand.rank < 2 && place <= 0) {
      const ones = new Array<number>(-place).fill(1);
      return this.reshape(this.#own.joined(operand.values, 0), [this.count, ...ones, ...this.dims(operand.values[0])]);
    }
    const value = this.at(operand, Math.max(0, place));
    const missing = Math.max(0, -place);
    return this.#unsqueezed(
      value,
      Array.from({ length: missing }, (_, i) => i + 1),
    );
  }

  repeated(operand: Operand, axis: number): Value {
    const value = this.at(operand, axis);
    if (operand.kind !== "common") return value;
    const repeats = Array.from({ length: operand.rank + 1 }, (_, i) => (i === axis ? this.count : 1));
    return this.#once(`repeated ${this.#id(value)}`, () => this.op("Tile", [value, this.ints(repeats)]));
  }

  merged(operand: Operand, axis: number): Value {
    if (axis >= operand.rank) throw new UnsupportedError(`a tensor without an axis ${axis}`);
    const known = operand.kind === "stacked" && operand.axis === axis ? this.#merged.get(operand.value) : undefined;
    if (known) return known;
    const value = this.repeated(operand, axis);
    const dims = this.dims(value);
    return this.reshape(value, dims.toSpliced(axis, 2, times(nth(dims, axis + 1), this.count)));
  }

  split(value: Value, dims: Dims, axis: number): Stacked {
    const apart = this.reshape(value, dims.toSpliced(axis, 0, this.count));
    this.#merged.set(apart, value);
    return stacked(apart, axis, dims.length);
  }

  isMerged(operand: Operand | undefined): boolean {
    return operand?.kind === "stacked" && this.#merged.has(operand.value);
  }

  joined(operand: Operand, axis: number): Value {
    return operand.kind === "own" ? this.#own.joined(operand.values, axis) : this.merged(operand, axis);
  }

  sum(operand: Operand): Value {
    if (operand.kind === "sum") return operand.value;
    if (operand.kind === "common") {
      return this.op("Mul", [operand.value, this.number(this.count, this.dtype(operand.value))]);
    }
    const axis = operand.kind === "stacked" ? operand.axis : 0;
    return this.op("ReduceSum", [this.at(operand, axis), this.ints([axis])], { keepdims: 0 });
  }

  reshape(value: Value, dims: Dims): Value {
    const before = this.dims(value);
    if (before.length === dims.length && before.every((dim, i) => dim === dims[i] && dim !== "")) return value;
    const unknown = dims.flatMap((dim, i) => (typeof dim === "number" ? [] : [i]));
    const moved = unknown.filter((i) => before[i] !== dims[i] || dims[i] === "");
    if (moved.length > 1)
      throw new UnsupportedError("more than one length is unknown where branches are laid together");
    const target = dims.map((dim, i) => (typeof dim === "number" ? dim : i === moved[0] ? -1 : 0));
    const types = dims.includes("") ? {} : { types: [tensorType(this.dtype(value), dims)] };
    return this.#once(`reshaped ${this.#id(value)} ${dims}`, () =>
      this.#options.g.op("Reshape", [value, this.ints(target)], {}, types),
    );
  }

  note(value: Value, parts: Parts): void {
    this.#parts.set(value, parts);
  }

  partsOf(operand: Operand | undefined): Parts | undefined {
    return operand?.kind === "stacked" ? this.#parts.get(operand.value) : undefined;
  }

  #unsqueezed(value: Value, axes: readonly number[]): Value {
    if (axes.length === 0) return value;
    return this.#once(`unsqueezed ${this.#id(value)} ${axes}`, () => this.op("Unsqueeze", [value, this.ints(axes)]));
  }

  #moved(value: Value, from: number, to: number): Value {
    if (from === to) return value;
    const perm = [...this.dims(value).keys()].toSpliced(from, 1).toSpliced(to, 0, from);
    return this.#once(`moved ${this.#id(value)} ${perm}`, () => this.op("Transpose", [value], { perm }));
  }

  #tensorType(value: Value | undefined): { readonly dims: Dims; readonly dtype: DataType } {
    const type = value && this.#options.typeOf(value);
    if (type?.kind === "tensor" && type.dims) return { dims: type.dims, dtype: type.dtype };
    throw new UnsupportedError("the rank of a value is not known", value && { where: `value "${value.name}"` });
  }

  #id(value: Value): number {
    const known = this.#ids.get(value) ?? this.#ids.size;
    this.#ids.set(value, known);
    return known;
  }

  #once(key: string, make: () => Value): Value {
    const known = this.#made.get(key) ?? make();
    this.#made.set(key, known);
    return known;
  }
}

function times(dim: number | string, count: number): number {
  if (typeof dim === "number") return dim * count;
  throw new UnsupportedError("the length of the axis on which branches are laid together is not known");
}
