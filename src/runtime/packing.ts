/** @file Messages as bytes, where a page is at one end: JSON, with byte arrays behind it. */

interface Packed {
  readonly $bytes: number;
  readonly length: number;
}

/** Bytes of the length of the JSON. */
const HEAD = 4;

/** The pieces of one message, byte arrays as they are. */
export function pack(message: unknown): Uint8Array<ArrayBuffer>[] {
  const arrays: Uint8Array<ArrayBuffer>[] = [];
  let end = 0;
  const text = JSON.stringify(message, (_, value) => {
    if (!(value instanceof Uint8Array)) return value;
    arrays.push(value as Uint8Array<ArrayBuffer>);
    const packed: Packed = { $bytes: end, length: value.byteLength };
    end += value.byteLength;
    return packed;
  });
  const body = new TextEncoder().encode(text);
  return [new Uint8Array(Uint32Array.of(body.byteLength).buffer), body, ...arrays];
}

/** Every byte array gets a buffer of its own. */
export function unpack(bytes: Uint8Array): unknown {
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const start = HEAD + length;
  return JSON.parse(new TextDecoder().decode(bytes.subarray(HEAD, start)), (_, value) => {
    if (!isPacked(value)) return value;
    return new Uint8Array(bytes.subarray(start + value.$bytes, start + value.$bytes + value.length));
  });
}

function isPacked(value: unknown): value is Packed {
  return typeof value === "object" && value !== null && "$bytes" in value;
}
