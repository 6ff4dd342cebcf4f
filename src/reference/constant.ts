/** @file Operators that make arrays out of attributes, dims or ranges. */

import { exactly } from "../checked.ts";
import { InvalidModelError } from "../errors.ts";
import {
  boundOf,
  type DataType,
  dataTypes,
  exactBigint,
  floatOf,
  floatsAttribute,
  intOf,
  sizeOf,
  stringOf,
  stringsAttribute,
  tensorAttribute,
} from "../ir/index.ts";
import { bigints, bounded, type Dense, dense, fromTensor, isBig, numbers, select, text } from "./dense.ts";
import { forEachIndex, normalAxis } from "./indexing.ts";
import { type Call, inputOf, type Kernels, scalarInput } from "./kernel.ts";
import { sparseToDense } from "./sparse.ts";

/** The data type of an ONNX element type code. */
export function dtypeOfCode(code: number, where: string): DataType {
  const entry = Object.entries(dataTypes).find(([, { code: own }]) => own === code);
  if (!entry) throw new InvalidModelError("an element type is not known", { got: `${code}`, where });
  return entry[0] as DataType;
}

/** The dtype that an attribute names, if it is there. */
export function dtypeAttribute(call: Call, name: string): DataType | undefined {
  const code = intOf(call.node, name);
  return code === undefined || code === 0 ? undefined : dtypeOfCode(code, call.where);
}

function constant({ node, where }: Call): Dense {
  const value = tensorAttribute(node, "value");
  if (value) return fromTensor(value);
  const sparse = node.attributes.get("sparse_value");
  if (sparse?.type === "sparse-tensor") {
    const { dims, values, indices } = sparse.value;
    return sparseToDense(dims, fromTensor(values), fromTensor(indices));
  }
  const int = node.attributes.get("value_int");
  if (int?.type === "int") return { dtype: "int64", dims: [], data: BigInt64Array.of(int.value) };
  const ints = node.attributes.get("value_ints");
  if (ints?.type === "ints") return { dtype: "int64", dims: [ints.value.length], data: BigInt64Array.from(ints.value) };
  const single = floatOf(node, "value_float");
  if (single !== undefined) return dense("float32", [], [single]);
  const list = floatsAttribute(node, "value_floats");
  if (list) return dense("float32", [list.length], list);
  const word = stringOf(node, "value_string");
  if (word !== undefined) return text([], [word]);
  const words = stringsAttribute(node, "value_strings");
  if (words) return text([words.length], words);
  throw new InvalidModelError("a Constant has no value", { where });
}

function constantOfShape(call: Call): Dense {
  const dims = [...numbers(inputOf(call, 0))];
  const value = tensorAttribute(call.node, "value");
  const filler = value ? fromTensor(value) : dense("float32", [1], [0]);
  return select(filler, dims, new Int32Array(bounded(sizeOf(dims))));
}

function range(call: Call): Dense {
  const [from, to, by] = [inputOf(call, 0), inputOf(call, 1), inputOf(call, 2)];
  const [start, limit, step] = [from, to, by].map((x) => numbers(x)[0]!) as [number, number, number];
  const count = bounded(Math.max(0, Math.ceil((limit - start) / step)));
  if (isBig(from.dtype)) {
    const [first, delta] = [bigints(from)[0]!, bigints(by)[0]!];
    return {
      dtype: from.dtype,
      dims: [count],
      data: new BigInt64Array(count).map((_, i) => first + exactBigint(i) * delta),
    };
  }
  return dense(
    from.dtype,
    [count],
    new Float64Array(count).map((_, i) => start + i * step),
  );
}

function shape({ node, inputs, ...call }: Call): Dense {
  const dims = inputOf({ node, inputs, ...call }, 0).dims;
  const part = dims.slice(boundOf(node, "start"), boundOf(node, "end"));
  return dense("int64", [part.length], part);
}

function eyeLike(call: Call): Dense {
  const x = inputOf(call, 0);
  const shift = intOf(call.node, "k", 0);
  const result = new Float64Array(bounded(sizeOf(x.dims)));
  forEachIndex(exactly(x.dims, 2), ([row, column], flat) => {
    result[flat] = column === row + shift ? 1 : 0;
  });
  return dense(dtypeAttribute(call, "dtype") ?? x.dtype, x.dims, result);
}

/** 1-based values `[off, on]`; indices count from the end when negative, those out of range give all off. */
function oneHot(call: Call): Dense {
  const [indices, values] = [inputOf(call, 0), inputOf(call, 2)];
  const depth = scalarInput(call, 1, 0);
  const axis = normalAxis(intOf(call.node, "axis", -1), indices.dims.length + 1);
  const dims = [...indices.dims.slice(0, axis), depth, ...indices.dims.slice(axis)];
  const inner = sizeOf(indices.dims.slice(axis));
  const at = numbers(indices);
  const source = new Int32Array(bounded(sizeOf(dims)));
  for (let flat = 0; flat < source.length; flat++) {
    const [outer, hot, rest] = [Math.floor(flat / (depth * inner)), Math.floor(flat / inner) % depth, flat % inner];
    const index = Math.trunc(at[outer * inner + rest]!);
    source[flat] = (index < 0 ? index + depth : index) === hot ? 1 : 0;
  }
  return select(values, dims, source);
}

/** Cosine windows Σ (−1)ᵏ aₖ cos(2πkn/N), periodic over N = size or symmetric over N = size − 1. */
function cosineWindow(terms: readonly number[]): (call: Call) => Dense {
  return (call) => {
    const size = bounded(scalarInput(call, 0, 0));
    const period = intOf(call.node, "periodic", 1) === 1 ? size : size - 1;
    const value = (n: number): number =>
      terms.reduce((sum, a, k) => sum + (-1) ** k * a * Math.cos((2 * Math.PI * k * n) / period), 0);
    const dtype = dtypeAttribute(call, "output_datatype") ?? "float32";
    return dense(
      dtype,
      [size],
      new Float64Array(size).map((_, n) => value(n)),
    );
  };
}

export const constants = {
  Constant: constant,
  ConstantOfShape: constantOfShape,
  Range: range,
  Shape: shape,
  Size: (call) => dense("int64", [], [sizeOf(inputOf(call, 0).dims)]),
  EyeLike: eyeLike,
  OneHot: oneHot,
  HannWindow: cosineWindow([0.5, 0.5]),
  HammingWindow: cosineWindow([25 / 46, 21 / 46]),
  BlackmanWindow: cosineWindow([0.42, 0.5, 0.08]),
} satisfies Kernels;
