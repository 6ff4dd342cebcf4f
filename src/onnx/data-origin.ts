/** @file Where the bytes of tensors lie in files, for a runtime that maps files into memory. */
import type { Stats } from "../file-system.ts";

export interface DataOrigin {
  /** The model's folder, without links. */
  readonly folder: string;
  /** The file below it. */
  readonly location: string;
  readonly offset: number;
  /** The file as it was when the bytes were read. */
  readonly file: Pick<Stats, "dev" | "ino" | "size" | "mtimeMs">;
}

const origins = new WeakMap<Uint8Array, DataOrigin>();

export function setOrigin(bytes: Uint8Array, origin: DataOrigin): void {
  origins.set(bytes, origin);
}

/** Where these very bytes were read from; `undefined` for all that were computed, or read with their model. */
export function originOf(bytes: Uint8Array): DataOrigin | undefined {
  return origins.get(bytes);
}
