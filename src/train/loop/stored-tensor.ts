/** @file Tensors of a checkpoint, as far as they fit the run that reads them. */
import { FormatError } from "../../errors.ts";
import { bytesOfTensor, dataTypes, floatsOf, formatType, type Tensor, tensorType } from "../../ir/index.ts";

/** A tensor with its own memory. */
export function owned(tensor: Tensor | undefined, name: string, where: string): Tensor {
  if (!tensor) throw new FormatError(`the checkpoint lacks the state ${JSON.stringify(name)}`, { where });
  return { ...tensor, data: bytesOfTensor(tensor).slice() };
}

/** The same, of the dtype and dims that the state has. */
export function fitting(tensor: Tensor | undefined, initial: Tensor, name: string, where: string): Tensor {
  const own = owned(tensor, name, where);
  const [expected, got] = [initial, own].map(({ dtype, dims }) => formatType(tensorType(dtype, dims)));
  if (got === expected) return own;
  throw new FormatError(`the checkpoint's state ${JSON.stringify(name)} has another form`, {
    expected: expected!,
    got: got!,
    where,
  });
}

export function checkFinite(tensor: Tensor, name: string, where: string): void {
  if (dataTypes[tensor.dtype].kind !== "float") return;
  const wrong = floatsOf(tensor).find((value) => !Number.isFinite(value));
  if (wrong === undefined) return;
  throw new FormatError("the checkpoint holds a parameter that is not finite", {
    got: `${wrong} in ${JSON.stringify(name)}`,
    where,
  });
}
