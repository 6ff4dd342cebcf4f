/** @file Conversions between data types. */
import {
  bytesOfTensor,
  type DataType,
  dataTypes,
  exactNumber,
  type FloatFormat,
  floatFormats,
  intOf,
  stringOf,
} from "../ir/index.ts";
import { dtypeOfCode } from "./constant.ts";
import {
  bigints,
  type Dense,
  dense,
  fromTensor,
  isBig,
  isFloat,
  numbers,
  slotsOf,
  text,
  texts,
  toTensor,
} from "./dense.ts";
import { type Call, inputOf, type Kernels } from "./kernel.ts";

const byteFormats: ReadonlySet<DataType> = new Set(["float8e4m3fn", "float8e4m3fnuz", "float8e5m2", "float8e5m2fnuz"]);

/** The value as `dtype` holds it. Without `saturate`, what a float8 cannot hold becomes infinity or NaN. */
export function castNumber(value: number, dtype: DataType, saturate: boolean): number {
  const format: FloatFormat | undefined = floatFormats[dtype];
  if (!format || dataTypes[dtype].bits > 8) return value;
  const rounded = format.decode(format.encode(value));
  if (saturate || !byteFormats.has(dtype) || Math.abs(value) < overflowAt(format, rounded)) return rounded;
  return dtype === "float8e5m2" ? Math.sign(value) * Number.POSITIVE_INFINITY : Number.NaN;
}

/** Half a step beyond the largest value: where rounding would leave the format's range. */
function overflowAt(format: FloatFormat, rounded: number): number {
  const top = Math.abs(format.decode(format.encode(Number.MAX_VALUE)));
  if (Math.abs(rounded) < top) return Number.POSITIVE_INFINITY;
  const below = Math.abs(format.decode(format.encode(top) - 1));
  return top + (top - below) / 2;
}

/** Numbers as C prints them in the shortest form that reads back as the same float. */
function printed(value: number, dtype: DataType): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "INF" : "-INF";
  if (dtype !== "float32") return String(value);
  for (let digits = 1; digits < 9; digits++) {
    const short = value.toPrecision(digits);
    if (Math.fround(Number(short)) === Math.fround(value)) return String(Number(short));
  }
  return String(value);
}

function parsed(word: string): number {
  const lower = word.trim().toLowerCase().replace("infinity", "inf");
  if (/^[+-]?inf$/.test(lower)) return lower.startsWith("-") ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  return Number(lower);
}

/** How a power of two is chosen for float8e8m0: the next one up, the next one down, or the nearest (ties up). */
const powerRounding: Readonly<Record<string, (exponent: number) => number>> = {
  up: Math.ceil,
  down: Math.floor,
  nearest: (exponent) =>
    2 ** exponent >= 1.5 * 2 ** Math.floor(exponent) ? Math.ceil(exponent) : Math.floor(exponent),
};

function castToPower(x: Dense, mode: string): Dense {
  const round = powerRounding[mode] ?? Math.ceil;
  const power = (value: number): number => 2 ** Math.min(127, Math.max(-127, round(Math.log2(value))));
  return dense(
    "float8e8m0",
    x.dims,
    numbers(x).map((value) => (Number.isNaN(value) ? Number.NaN : power(Math.abs(value)))),
  );
}

export function cast(x: Dense, to: DataType, saturate = true, powerMode = "up"): Dense {
  if (x.dtype === to) return x;
  if (to === "float8e8m0" && x.dtype !== "string") return castToPower(x, powerMode);
  if (to === "string") {
    const words =
      x.data instanceof Float64Array ? Array.from(x.data, (v) => printed(v, x.dtype)) : Array.from(slotsOf(x), String);
    return text(x.dims, words);
  }
  if (x.dtype === "string") return cast(dense("float64", x.dims, texts(x).map(parsed)), to, saturate);
  if (isBig(x.dtype) && isBig(to)) {
    const data = to === "uint64" ? new BigUint64Array(bigints(x)) : new BigInt64Array(bigints(x));
    return { dtype: to, dims: x.dims, data };
  }
  if (isBig(x.dtype) && !isFloat(to) && to !== "bool") {
    const { bits, kind } = dataTypes[to];
    const wrap = kind === "int" ? BigInt.asIntN : BigInt.asUintN;
    const integers = bigints(x);
    const wrapped = new Float64Array(integers.length).map((_, i) => exactNumber(wrap(bits, integers[i]!)));
    return dense(to, x.dims, wrapped);
  }
  const values = numbers(x);
  return dense(to, x.dims, floatFormats[to] ? values.map((v) => castNumber(v, to, saturate)) : values);
}

/** The same bits under another dtype of the same width. */
function bitCast(call: Call): Dense {
  const x = inputOf(call, 0);
  const to = dtypeOfCode(intOf(call.node, "to", 0), call.where);
  const bytes = bytesOfTensor(toTensor(x, "declared"));
  return fromTensor({ dtype: to, dims: x.dims, data: bytes });
}

export const casts = {
  Cast: (call) => {
    const to = dtypeOfCode(intOf(call.node, "to", 0), call.where);
    const saturate = intOf(call.node, "saturate", 1) === 1;
    return cast(inputOf(call, 0), to, saturate, stringOf(call.node, "round_mode", "up"));
  },
  CastLike: (call) => cast(inputOf(call, 0), inputOf(call, 1).dtype, intOf(call.node, "saturate", 1) === 1),
  BitCast: bitCast,
} satisfies Kernels;
