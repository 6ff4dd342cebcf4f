/** @file The kernel of products of signs, and its memory: weights at the bottom for good, what a run needs above them. */
import { xnorBytes } from "./xnor-bytes.ts";

/** What `xnor.wat` exports. Positions and lengths are in bytes where they are not counts. */
interface Exports {
  readonly memory: WebAssembly.Memory;
  multiply(a: number, b: number, c: number, m: number, n: number, bytes: number, length: number): void;
  scaleColumns(c: number, scales: number, biases: number, m: number, n: number): void;
  scaleRow(c: number, scale: number, bias: number, n: number): void;
  packRows(from: number, to: number, rows: number, length: number, bytes: number): void;
  packPixels(from: number, to: number, channels: number, plane: number, count: number, words: number): void;
  gather(
    from: number,
    to: number,
    height: number,
    width: number,
    step: number,
    jump: number,
    lines: number,
    run: number,
    pitch: number,
    bytes: number,
  ): void;
}

export interface Kernel extends Omit<Exports, "memory"> {
  /** Memory that stays, filled. */
  keep(bytes: Uint8Array): number;
  /** Memory until the next call, one piece of each length; what it holds is left over from before. */
  room<const L extends readonly number[]>(lengths: L): { readonly [I in keyof L]: number };
  floats(at: number, count: number): Float32Array;
  bytes(at: number, count: number): Uint8Array;
}

const PAGE = 65536;

let compiled: WebAssembly.Module | undefined;

/** A kernel with memory of its own. */
export function openKernel(): Kernel {
  compiled ??= new WebAssembly.Module(decoded(atob(xnorBytes)));
  const exported = new WebAssembly.Instance(compiled).exports as unknown as Exports;
  const { memory } = exported;
  let kept = 16;
  const reserve = (end: number): void => {
    const missing = end - memory.buffer.byteLength;
    if (missing > 0) memory.grow(Math.ceil(missing / PAGE));
  };
  return {
    multiply: exported.multiply,
    scaleColumns: exported.scaleColumns,
    scaleRow: exported.scaleRow,
    packRows: exported.packRows,
    packPixels: exported.packPixels,
    gather: exported.gather,
    keep(bytes) {
      const at = kept;
      kept = aligned(kept + bytes.length);
      reserve(kept);
      new Uint8Array(memory.buffer).set(bytes, at);
      return at;
    },
    room(lengths) {
      let top = kept;
      const places = lengths.map((length) => {
        const at = top;
        top = aligned(top + length);
        return at;
      });
      reserve(top);
      return places as unknown as { readonly [I in keyof typeof lengths]: number };
    },
    floats: (at, count) => new Float32Array(memory.buffer, at, count),
    bytes: (at, count) => new Uint8Array(memory.buffer, at, count),
  };
}

function decoded(letters: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(letters.length).map((_, i) => letters.charCodeAt(i));
}

/** The next multiple of 16, what a vector takes. */
export function aligned(length: number): number {
  return Math.ceil(length / 16) * 16;
}
