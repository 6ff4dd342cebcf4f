/**
 * @file The rules without which ONNX Runtime is silently wrong, ends the process, or fails only when it runs.
 * Each says what goes wrong and how a session prevents it; a law test shows both.
 */

import { blockedThread } from "./blocked-thread.ts";
import { externalData } from "./external-data.ts";
import { gpuDownload } from "./gpu-download.ts";
import { halfPrecisionFeeds } from "./half-precision-feeds.ts";
import { hiddenQuantization } from "./hidden-quantization.ts";
import { idleSpinning } from "./idle-spinning.ts";
import { ignoredFeeds } from "./ignored-feeds.ts";
import { ignoredOptions } from "./ignored-options.ts";
import { lowPrecisionPorts } from "./low-precision-ports.ts";
import { movedCaptures } from "./moved-captures.ts";
import { nativeLeak } from "./native-leak.ts";
import { noAlias } from "./no-alias.ts";
import { opsetLimit } from "./opset-limit.ts";
import { packedInputs } from "./packed-inputs.ts";
import { packedOutputs } from "./packed-outputs.ts";
import { packedReuse } from "./packed-reuse.ts";
import { profilePrefix } from "./profile-prefix.ts";
import { reducedTypes } from "./reduced-types.ts";
import type { Rule } from "./rule.ts";
import { scatterRace } from "./scatter-race.ts";
import { sharedMemory } from "./shared-memory.ts";
import { trainingDropout } from "./training-dropout.ts";
import { trainingStatistics } from "./training-statistics.ts";
import { u8s8Saturation } from "./u8s8-saturation.ts";
import { unkeptPast } from "./unkept-past.ts";
import { unknownRank } from "./unknown-rank.ts";
import { webgpuLayout } from "./webgpu-layout.ts";
import { webgpuRunTime } from "./webgpu-run-time.ts";
import { weightOnlyAccuracy } from "./weight-only-accuracy.ts";

export const rules = {
  "external-data": externalData,
  "scatter-race": scatterRace,
  "no-alias": noAlias,
  "webgpu-layout": webgpuLayout,
  "training-dropout": trainingDropout,
  "training-statistics": trainingStatistics,
  "unkept-past": unkeptPast,
  "hidden-quantization": hiddenQuantization,
  "moved-captures": movedCaptures,
  "weight-only-accuracy": weightOnlyAccuracy,
  "u8s8-saturation": u8s8Saturation,
  "ignored-options": ignoredOptions,
  "ignored-feeds": ignoredFeeds,
  "unknown-rank": unknownRank,
  "packed-outputs": packedOutputs,
  "packed-inputs": packedInputs,
  "packed-reuse": packedReuse,
  "low-precision-ports": lowPrecisionPorts,
  "half-precision-feeds": halfPrecisionFeeds,
  "reduced-types": reducedTypes,
  "gpu-download": gpuDownload,
  "shared-memory": sharedMemory,
  "webgpu-run-time": webgpuRunTime,
  "blocked-thread": blockedThread,
  "idle-spinning": idleSpinning,
  "native-leak": nativeLeak,
  "opset-limit": opsetLimit,
  "profile-prefix": profilePrefix,
} satisfies Record<string, Rule>;

export type RuleName = keyof typeof rules;
