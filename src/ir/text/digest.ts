/** @file Short names for tensors that are too large to print: equal tensors have equal digests. */
import type { Tensor } from "../tensor.ts";

/** 64-bit FNV-1a over dtype, dims and bytes (or strings), as 16 hexadecimal digits. Not against forgery. */
export function digestOf(tensor: Tensor): string {
  const head = new TextEncoder().encode(`${tensor.dtype}[${tensor.dims.join(",")}]`);
  const state = { high: 0xcbf29ce4, low: 0x84222325 };
  absorb(state, head);
  if (tensor.data instanceof Uint8Array) absorb(state, tensor.data);
  else if (Array.isArray(tensor.data)) {
    for (const bytes of tensor.data as readonly Uint8Array[]) {
      absorb(state, new TextEncoder().encode(`${bytes.length}:`));
      absorb(state, bytes);
    }
  }
  return state.high.toString(16).padStart(8, "0") + state.low.toString(16).padStart(8, "0");
}

/** state = (state xor byte) · (2⁴⁰ + 435) mod 2⁶⁴, in two halves. */
function absorb(state: { high: number; low: number }, bytes: Uint8Array): void {
  let { high, low } = state;
  for (const byte of bytes) {
    low = (low ^ byte) >>> 0;
    const product = low * 435;
    high = (Math.imul(high, 435) + Math.floor(product / 2 ** 32) + (low << 8)) >>> 0;
    low = product >>> 0;
  }
  state.high = high;
  state.low = low;
}
