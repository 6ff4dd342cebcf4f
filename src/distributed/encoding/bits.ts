/** @file Small whole numbers side by side, the first in the lowest bits. */

/** The bytes that so many numbers of so many bits take. */
export function packedBytes(count: number, bits: number): number {
  return Math.ceil((count * bits) / 8);
}

/** Writes `codeAt(i)` for each i below `count`, from the byte `offset` on. At most 16 bits each. */
export function packCodes(
  bytes: Uint8Array,
  { offset, count, bits }: { readonly offset: number; readonly count: number; readonly bits: number },
  codeAt: (index: number) => number,
): void {
  let held = 0;
  let heldBits = 0;
  let at = offset;
  for (let i = 0; i < count; i++) {
    held |= codeAt(i) << heldBits;
    for (heldBits += bits; heldBits >= 8; heldBits -= 8, held >>>= 8) bytes[at++] = held & 0xff;
  }
  if (heldBits > 0) bytes[at] = held;
}

/** Reads what `packCodes` wrote, in order. */
export function unpackCodes(
  bytes: Uint8Array,
  { offset, count, bits }: { readonly offset: number; readonly count: number; readonly bits: number },
  take: (code: number, index: number) => void,
): void {
  const mask = 2 ** bits - 1;
  let held = 0;
  let heldBits = 0;
  let at = offset;
  for (let i = 0; i < count; i++) {
    for (; heldBits < bits; heldBits += 8) held |= (bytes[at++] ?? 0) << heldBits;
    take(held & mask, i);
    held >>>= bits;
    heldBits -= bits;
  }
}
