/** @file Entry of the page that runs models as an application without lithe does: the runtime's own defaults, nothing else. */
import type { Env, InferenceSessionFactory, TensorConstructor } from "onnxruntime-common";
import { type Backend, serve } from "../host.ts";
import { pack, unpack } from "../packing.ts";
import type { LoadSpec, Request } from "../protocol.ts";
import { findAdapter } from "./adapter.ts";

/** What the page says of itself first. */
export interface Ready {
  readonly browser: string;
  /** Absent where the page has no WebGPU. */
  readonly adapter?: string;
  /** Whether the adapter computes in float16. */
  readonly halves: boolean;
}

interface Runtime {
  readonly InferenceSession: InferenceSessionFactory;
  readonly Tensor: TensorConstructor;
  readonly env: Env;
}

async function loadBackend({ ep }: LoadSpec): Promise<Backend> {
  const assets = new URL("ort/", document.baseURI).href;
  const { InferenceSession, Tensor, env }: Runtime = await import(new URL(`ort.${ep}.min.mjs`, assets).href);
  env.wasm.wasmPaths = assets;
  return {
    Tensor,
    load: ({ model, external }) =>
      InferenceSession.create(model, { executionProviders: [ep], externalData: [...external] }),
  };
}

async function post(path: string, message: unknown): Promise<void> {
  await fetch(path, { method: "POST", body: new Blob(pack(message)) });
}

/** Replies leave one after another. */
let sent: Promise<void> = Promise.resolve();
const answer = serve(loadBackend, (reply) => {
  sent = sent.then(() => post("reply", reply));
});

const adapter = await findAdapter();
const found = adapter ? { adapter: adapter.name, halves: adapter.halves } : { halves: false };
const [, browser = "Chromium"] = /Chrome\/(\d+)/.exec(navigator.userAgent) ?? [];
await post("ready", { browser, ...found } satisfies Ready);
for (;;) {
  const next = await fetch("next");
  if (next.status !== 200) break;
  await answer(unpack(new Uint8Array(await next.arrayBuffer())) as Request);
  await sent;
}
