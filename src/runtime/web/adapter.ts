/** @file The GPU that a page may use. */

export interface Adapter {
  readonly name: string;
  /** Whether it computes in float16 (the feature shader-f16). */
  readonly halves: boolean;
}

/** The adapter that WebGPU offers; `undefined` where there is none. */
export async function findAdapter(): Promise<Adapter | undefined> {
  const { gpu }: Partial<Pick<Navigator, "gpu">> = navigator;
  const adapter = await gpu?.requestAdapter().catch(() => null);
  if (!adapter) return undefined;
  const { vendor, architecture, description } = adapter.info;
  const name = description || [vendor, architecture].filter(Boolean).join(" ") || "unnamed";
  return { name, halves: adapter.features.has("shader-f16") };
}
