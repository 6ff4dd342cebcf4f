/** @file Fits a sample's tensor to the dtype and dims that a model's input states. */
import { DataError } from "../errors.ts";
import {
  type DataType,
  dataTypes,
  exactBigint,
  exactNumber,
  formatType,
  integerRange,
  numbersOf,
  type Tensor,
  tensor,
  tensorFromNumbers,
  tensorType,
  typedArray,
} from "../ir/index.ts";
import type { InputPort } from "./dataset.ts";

/**
 * `value` in the port's dtype. Floats convert to floats and integers to integers, the latter only when every value
 * fits; any other pair, and dims that contradict the port's static ones, are a `DataError`.
 */
export function adaptTensor(value: Tensor, port: InputPort | undefined, where: string): Tensor {
  if (!port) return value;
  checkItemDims(value, port, where);
  if (port.dtype === undefined || port.dtype === value.dtype) return value;
  const from = dataTypes[value.dtype].kind;
  const to = dataTypes[port.dtype].kind;
  if (from === "float" && to === "float") return tensorFromNumbers(port.dtype, value.dims, numbersOf(value));
  if (isInteger(from) && isInteger(to)) return convertIntegers(value, port.dtype, where);
  throw new DataError("the data's dtype does not fit the model's input", {
    expected: `${port.dtype} for input "${port.name}"`,
    got: value.dtype,
    where,
    hint:
      isInteger(from) && to === "float"
        ? "For pixels give a preprocessing (a preset or a specification)."
        : "Convert it.",
  });
}

function isInteger(kind: string): boolean {
  return kind === "int" || kind === "uint" || kind === "bool";
}

function convertIntegers(value: Tensor, dtype: DataType, where: string): Tensor {
  const integers = typedArray(value) as ArrayLike<number | bigint>;
  const [low, high] = integerRange(dtype);
  for (let i = 0; i < integers.length; i++) {
    if (integers[i]! >= low && integers[i]! <= high) continue;
    throw new DataError(`a value does not fit ${dtype}`, { got: `${integers[i]}`, where: `${where}, element ${i}` });
  }
  const { length } = integers;
  if (dtype === "int64")
    return tensor(
      dtype,
      value.dims,
      new BigInt64Array(length).map((_, i) => bigintOf(integers[i]!)),
    );
  if (dtype === "uint64")
    return tensor(
      dtype,
      value.dims,
      new BigUint64Array(length).map((_, i) => bigintOf(integers[i]!)),
    );
  return tensorFromNumbers(
    dtype,
    value.dims,
    new Float64Array(length).map((_, i) => exactNumber(bigintOf(integers[i]!))),
  );
}

function bigintOf(integer: number | bigint): bigint {
  return typeof integer === "bigint" ? integer : exactBigint(integer);
}

/** Whether the model's input has a batch axis before the sample's axes; dims must agree where both are known. */
export function checkItemDims({ dims, dtype }: Tensor, port: InputPort, where: string): void {
  if (!port.dims) return;
  const expected = port.dims.length === dims.length ? port.dims : port.dims.slice(1);
  const fits =
    expected.length === dims.length &&
    expected.every((dim, i) => typeof dim === "string" || dim < 0 || dim === dims[i]);
  if (fits) return;
  throw new DataError("a sample's dims do not fit the model's input", {
    expected: `${formatType(tensorType(port.dtype ?? dtype, port.dims))} for input "${port.name}"`,
    got: `a sample of ${dtype}[${dims.join(", ")}], without batch axis`,
    where,
    hint: "For images, give a preprocessing (a preset or a specification).",
  });
}
