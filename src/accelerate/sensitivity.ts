/** @file How much each layer suffers from quantization, on a few calibration batches. */
import { sensitivity } from "../quantize/index.ts";
import type { CandidateContext } from "./candidates.ts";
import type { LayerSensitivity } from "./result.ts";

/** Batches that order the layers well enough. */
const BATCHES = 16;

export async function layerSensitivity(context: CandidateContext): Promise<Omit<LayerSensitivity, "keptFloat">[]> {
  const { model, open, weightBits, threads, signal, progress } = context;
  return sensitivity(model, {
    open,
    weightBits,
    threads,
    signal,
    calibration: () => first(context.calibration(), BATCHES),
    onEvent: (event) => {
      if (event.type === "sensitivity") progress("sensitivity", event.done, event.total, event.node);
    },
  });
}

async function* first<T>(items: AsyncIterable<T>, count: number): AsyncGenerator<T> {
  let left = count;
  for await (const item of items) {
    if (left-- === 0) return;
    yield item;
  }
}
