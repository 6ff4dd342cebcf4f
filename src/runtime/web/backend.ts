/** @file ONNX Runtime in a browser: wasm, or WebGPU. */
import type { Env, InferenceSession, InferenceSessionFactory, TensorConstructor } from "onnxruntime-common";
import type { Backend } from "../host.ts";
import { missingPackage } from "../missing.ts";
import { sessionOptions } from "../ort-options.ts";
import type { LoadSpec } from "../protocol.ts";

interface Runtime {
  readonly InferenceSession: InferenceSessionFactory;
  readonly Tensor: TensorConstructor;
  readonly env: Env;
}

/** Imports the build that a bundler or an import map resolves. */
export type ImportRuntime = () => Promise<Runtime>;

/** With `assets`, the module of that folder; otherwise the one that the bundler or an import map resolves. */
export async function backendOf(
  { assets, threads, start }: LoadSpec,
  module: string,
  importRuntime: ImportRuntime,
): Promise<Backend> {
  const imported = assets === undefined ? resolved(importRuntime) : runtimeIn(assets, module);
  const { InferenceSession, Tensor, env } = await (start === undefined ? imported : within(start, imported));
  if (assets !== undefined) env.wasm.wasmPaths = assets;
  if (start !== undefined) env.wasm.initTimeout = start;
  env.wasm.numThreads = globalThis.crossOriginIsolated ? threads : 1;
  return {
    Tensor,
    load: (spec) => InferenceSession.create(spec.model, { ...sessionOptions(spec), ...locations(spec) }),
  };
}

/** On WebGPU the named outputs stay in buffers of the GPU; elsewhere the runtime's memory is the device's. */
function locations({ ep, resident }: LoadSpec): Pick<InferenceSession.SessionOptions, "preferredOutputLocation"> {
  if (ep !== "webgpu" || resident.length === 0) return {};
  return { preferredOutputLocation: Object.fromEntries(resident.map((name) => [name, "gpu-buffer" as const])) };
}

async function runtimeIn(assets: string, module: string): Promise<Runtime> {
  const { href } = new URL(module, assets);
  return import(/* @vite-ignore */ /* webpackIgnore: true */ href);
}

async function resolved(importRuntime: ImportRuntime): Promise<Runtime> {
  try {
    return await importRuntime();
  } catch (cause) {
    throw missingPackage("onnxruntime-web", cause);
  }
}

/** In the runtime's own words for what it waits for itself. */
function within<T>(milliseconds: number, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = new Error(`initializing failed due to timeout: its module has not loaded after ${milliseconds}ms`);
    const timer = setTimeout(() => reject(late), milliseconds);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
