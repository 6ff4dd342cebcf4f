/** @file Tensors as messages. */

import { nth } from "../../checked.ts";
import { FormatError } from "../../errors.ts";
import { bytesOfTensor, type DataType, dataTypes, type Tensor } from "../../ir/index.ts";

const dtypes = Object.keys(dataTypes) as readonly DataType[];

/** Its dtype, rank and dims as int32, then its bytes. */
export function messageOf(tensor: Tensor): Uint8Array<ArrayBuffer> {
  const head = new Int32Array([dtypes.indexOf(tensor.dtype), tensor.dims.length, ...tensor.dims]);
  const bytes = bytesOfTensor(tensor);
  const message = new Uint8Array(head.byteLength + bytes.length);
  message.set(new Uint8Array(head.buffer));
  message.set(bytes, head.byteLength);
  return message;
}

/** @throws FormatError for a message that is no tensor */
export function tensorFrom(message: Uint8Array<ArrayBuffer>): Tensor {
  const numbers = new Int32Array(message.slice(0, message.length - (message.length % 4)).buffer);
  const [dtype, rank = -1] = numbers;
  const length = 4 * (2 + rank);
  if (dtype === undefined || !dtypes[dtype] || rank < 0 || length > message.length) {
    throw new FormatError("a message is no tensor", { got: `${message.length} bytes` });
  }
  return { dtype: nth(dtypes, dtype), dims: [...numbers.subarray(2, 2 + rank)], data: message.slice(length) };
}
