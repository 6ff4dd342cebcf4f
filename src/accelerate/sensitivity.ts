/** @file How much each layer suffers from quantization, on a few calibration batches. */
import { sensitivity } from "../quantize/index.ts";
import type { CandidateContext } from "./candidates.ts";
import { firstOf } from "./first-of.ts";
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
    calibration: () => firstOf(context.calibration(), BATCHES),
    onEvent: (event) => {
      if (event.type === "sensitivity") progress("sensitivity", event.done, event.total, event.node);
    },
  });
}
