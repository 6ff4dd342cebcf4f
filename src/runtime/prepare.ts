/** @file From a model, or the bytes of one, to everything that loading it takes. */
import { UnsupportedError } from "../errors.ts";
import type { Model } from "../ir/index.ts";
import { decodeModel, encodeModel } from "../onnx/index.ts";
import { type SplitOptions, splitLargeModel } from "./external-data.ts";
import { type TypesByName, typesOf } from "./ports.ts";
import type { ExternalBytes, LoadSpec } from "./protocol.ts";
import { applyRules } from "./rules/apply.ts";
import type { Target } from "./rules/rule.ts";
import { bytesOf } from "./time-limit.ts";

export interface Load {
  readonly spec: LoadSpec;
  readonly types: TypesByName;
  readonly notices: readonly string[];
  /** Of the model, with those of its tensors that are elsewhere. */
  readonly bytes: number;
  /** Buffers that nobody else uses. */
  readonly transfer: readonly ArrayBuffer[];
}

/** Bytes are always decoded and written anew, so that nothing reaches the runtime that lithe did not read. */
export function readSource(source: Model | Uint8Array): Model {
  return source instanceof Uint8Array ? decodeModel(source) : source;
}

/** Above this many bytes of large tensors, a runtime that can map files gets them in one. */
const MAPPED = 2 ** 26;

/** The runtime returns outputs as keys of an object, where this one is none. Every other name is. */
const LOST = "__proto__";

function checkOutputs({ graph }: Model): void {
  if (!graph.outputs.some(({ name }) => name === LOST)) return;
  throw new UnsupportedError(`the runtime loses an output that is called "${LOST}"`, {
    where: `graph "${graph.name}", output "${LOST}"`,
    hint: "Give the output another name.",
  });
}

/** @param mapped the large tensors will be mapped from files: from those that hold them already, or from some that are yet to be written, so that they are not copied here. */
export function loadSpec(source: Model, target: Target, mapped?: SplitOptions["origins"]): Load {
  const { model, config, cpuNodes, notices } = applyRules(source, target);
  checkOutputs(model);
  const split = splitLargeModel(model, mapped && { limit: MAPPED, origins: mapped });
  const bytes = ownBytes(encodeModel(split.model));
  const { folder } = split;
  const placed = folder === undefined ? split.external : [];
  const external = mapped ? placed : ownExternal(placed);
  const { ep, threads, optimization, profile, assets, resident, stock } = target;
  const layout = ep === "webgpu" && !stock ? ({ layout: "NCHW" } as const) : {};
  const spec = {
    ...layout,
    model: bytes,
    external,
    ...(folder !== undefined && { folder }),
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
    bytes: bytesOf({ model: bytes, external: split.external }),
    transfer: [bytes.buffer, ...(mapped ? [] : external.map(({ data }) => data.buffer as ArrayBuffer))],
  };
}

/** Copies that can be handed over to the session. */
export function ownExternal(external: readonly ExternalBytes[]): ExternalBytes[] {
  return external.map(({ path, data }) => ({ path, data: new Uint8Array(data) }));
}

function ownBytes(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const { buffer } = bytes;
  const own = buffer instanceof ArrayBuffer && buffer.byteLength === bytes.byteLength;
  return own ? (bytes as Uint8Array<ArrayBuffer>) : new Uint8Array(bytes);
}
