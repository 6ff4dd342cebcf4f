/** @file From a model, or the bytes of one, to everything that loading it takes. */
import type { Model } from "../ir/index.ts";
import { decodeModel, encodeModel } from "../onnx/index.ts";
import type { ResolvedOptions } from "./options.ts";
import { type TypesByName, typesOf } from "./ports.ts";
import type { LoadSpec } from "./protocol.ts";
import { applyRules } from "./rules.ts";

export interface Load {
  readonly spec: LoadSpec;
  readonly types: TypesByName;
  /** Buffers that nobody else uses. */
  readonly transfer: readonly ArrayBuffer[];
}

/** Bytes are always decoded and written anew, so that nothing reaches the runtime that lithe did not read. */
export function loadSpec(source: Model | Uint8Array, options: ResolvedOptions): Load {
  const { model, config, cpuNodes } = applyRules(source instanceof Uint8Array ? decodeModel(source) : source, options);
  const bytes = encodeModel(model);
  const { ep, threads, optimization, profile, assets } = options;
  const common = { model: bytes, external: [], ep, threads, optimization, profile, config: [...config], cpuNodes };
  return {
    spec: assets === undefined ? common : { ...common, assets },
    types: typesOf(model),
    transfer: bytes.buffer instanceof ArrayBuffer && bytes.byteLength === bytes.buffer.byteLength ? [bytes.buffer] : [],
  };
}
