/** @file From a model, or the bytes of one, to everything that loading it takes. */
import type { Model } from "../ir/index.ts";
import { decodeModel, encodeModel } from "../onnx/index.ts";
import { splitLargeModel } from "./external-data.ts";
import { type TypesByName, typesOf } from "./ports.ts";
import type { LoadSpec } from "./protocol.ts";
import { applyRules, type Target } from "./rules.ts";

export interface Load {
  readonly spec: LoadSpec;
  readonly types: TypesByName;
  readonly notices: readonly string[];
  /** Buffers that nobody else uses. */
  readonly transfer: readonly ArrayBuffer[];
}

/** Bytes are always decoded and written anew, so that nothing reaches the runtime that lithe did not read. */
export function readSource(source: Model | Uint8Array): Model {
  return source instanceof Uint8Array ? decodeModel(source) : source;
}

export function loadSpec(source: Model, target: Target): Load {
  const { model, config, cpuNodes, notices } = applyRules(source, target);
  const split = splitLargeModel(model);
  const bytes = ownBytes(encodeModel(split.model));
  const external = split.external.map(({ path, data }) => ({ path, data: new Uint8Array(data) }));
  const { ep, threads, optimization, profile, assets, resident, stock } = target;
  const layout = ep === "webgpu" && !stock ? ({ layout: "NCHW" } as const) : {};
  const spec = {
    ...layout,
    model: bytes,
    external,
    ep,
    threads,
    optimization,
    profile,
    config: [...config],
    cpuNodes,
    resident,
  };
  return {
    spec: assets === undefined ? spec : { ...spec, assets },
    types: typesOf(model),
    notices,
    transfer: [bytes.buffer, ...external.map(({ data }) => data.buffer)],
  };
}

function ownBytes(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const { buffer } = bytes;
  const own = buffer instanceof ArrayBuffer && buffer.byteLength === bytes.byteLength;
  return own ? (bytes as Uint8Array<ArrayBuffer>) : new Uint8Array(bytes);
}
