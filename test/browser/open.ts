/** @file A model opened in a page, by lithe and by the runtime alone. */
import { openSession } from "../../src/runtime/index.ts";

type Provider = "wasm" | "webgpu";

/** Opens and releases a session. */
export async function opened(model: readonly number[], ep: Provider, assets: string): Promise<void> {
  await (await openSession(Uint8Array.from(model), { ep, assets })).release();
}

/** The same without lithe. */
export async function openedRaw(model: readonly number[], ep: Provider, assets: string): Promise<void> {
  const ort: typeof import("onnxruntime-web") = await import(new URL(`ort.${ep}.min.mjs`, assets).href);
  ort.env.wasm.wasmPaths = assets;
  ort.env.wasm.numThreads = 1;
  const options = { executionProviders: [ep], logSeverityLevel: 4 as const };
  await (await ort.InferenceSession.create(Uint8Array.from(model), options)).release();
}
