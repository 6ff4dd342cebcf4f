/** @file What a page can run models on. */
import { type Adapter, findAdapter } from "./adapter.ts";

export interface Capabilities {
  /** The adapter of WebGPU; absent where the browser, or the page, has none. */
  readonly webgpu?: Adapter;
  /** Whether the page is cross-origin isolated, which several threads need. */
  readonly isolated: boolean;
  /** The most threads that are of use: the processors of the machine, and 1 in a page that is not isolated. */
  readonly threads: number;
}

/** Looks at what this page, or worker, offers; nothing is downloaded for it. */
export async function detectCapabilities(): Promise<Capabilities> {
  const adapter = await findAdapter();
  const isolated = globalThis.crossOriginIsolated === true;
  return { ...(adapter && { webgpu: adapter }), isolated, threads: isolated ? navigator.hardwareConcurrency || 1 : 1 };
}
