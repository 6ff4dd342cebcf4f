/** @file Bytes and tensors that all ranks get from the first one. */
import { encodeSafetensors, readSafetensors } from "../../data/index.ts";
import type { Tensor } from "../../ir/index.ts";
import { broadcast } from "../collectives/broadcast.ts";
import type { Communicator } from "../communicator/communicator.ts";

const WORD = Int32Array.BYTES_PER_ELEMENT;

/** What rank 0 has, on every rank; the others give nothing. */
export async function bytesOfFirst(communicator: Communicator, own: Uint8Array | undefined): Promise<Uint8Array> {
  const [told = 0] = await broadcast(communicator.begin(), Float64Array.of(own?.length ?? 0));
  const words = new Int32Array(Math.ceil(told / WORD));
  const bytes = new Uint8Array(words.buffer, 0, told);
  if (own && communicator.rank === 0) bytes.set(own);
  await broadcast(communicator.begin(), words);
  return bytes;
}

/** As `bytesOfFirst`, for a value that JSON has. */
export async function jsonOfFirst(communicator: Communicator, own: () => Promise<unknown>): Promise<unknown> {
  const bytes = communicator.rank === 0 ? new TextEncoder().encode(JSON.stringify(await own())) : undefined;
  return JSON.parse(new TextDecoder().decode(await bytesOfFirst(communicator, bytes)));
}

/** As `bytesOfFirst`, for named tensors. */
export async function tensorsOfFirst(
  communicator: Communicator,
  own: ReadonlyMap<string, Tensor> | undefined,
): Promise<ReadonlyMap<string, Tensor>> {
  const bytes = await bytesOfFirst(communicator, own && communicator.rank === 0 ? encodeSafetensors(own) : undefined);
  return readSafetensors(bytes, "the state of rank 0").tensors;
}
