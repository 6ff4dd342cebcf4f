/** @file Random inputs for models without data: enough to time, and to see whether two models agree. */

import { type InputPort, syntheticFeeds } from "../../data/index.ts";
import type { Model } from "../../ir/index.ts";
import { encodedSize } from "../../onnx/index.ts";
import { type DataOptions, type RuntimeOptions, usualRandomSamples } from "../settings/settings.ts";
import type { LabelledFeeds, LoadedData } from "./loaded-data.ts";
import { inputRanges } from "./random-ranges.ts";

export function randomData(
  model: Model,
  ports: readonly InputPort[],
  options: DataOptions & RuntimeOptions,
): LoadedData {
  const { seed, batch = 1 } = options;
  const most = mostSamples(model);
  const { calibration, evaluation } = usualRandomSamples;
  const { calibrationSamples: calibrationSize = Math.min(calibration, most) } = options;
  const { evalSamples: evaluationSize = Math.min(evaluation, most) } = options;
  const { feeds, assumptions } = syntheticFeeds(ports, { seed, batch });
  const ranges = inputRanges(model, feeds);
  const make = (stream: number, count: number) =>
    async function* (): AsyncGenerator<LabelledFeeds> {
      for (let i = 0; i < count; i++)
        yield { feeds: syntheticFeeds(ports, { seed: seed + stream + i, batch, ranges }).feeds, count: batch };
    };
  return {
    source: "random inputs",
    assumptions,
    hasLabels: false,
    calibration: make(1_000_000, calibrationSize),
    evaluation: make(2_000_000, evaluationSize),
    calibrationSize,
    evaluationSize,
  };
}

/** A sample costs at least a look at every weight: above 1 GiB there are as many as read 32 GiB, and no fewer than 8. */
function mostSamples(model: Model): number {
  return Math.max(8, Math.floor(2 ** 35 / encodedSize(model)));
}
