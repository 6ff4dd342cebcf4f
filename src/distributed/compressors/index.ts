/** @file Compressors of gradients. One compressor is one file and one line here; the laws iterate over it. */
import { float16 } from "./float16.ts";
import { int8 } from "./int8.ts";
import { noCompression } from "./none.ts";
import { powerSgd } from "./powersgd.ts";
import { qsgd } from "./qsgd.ts";
import { randomK } from "./random-k.ts";
import { sampledTopK } from "./sampled-top-k.ts";
import { sign } from "./sign.ts";
import { ternGrad } from "./terngrad.ts";
import { threshold } from "./threshold.ts";
import { topK } from "./top-k.ts";

/** Every compressor under its name, with its usual settings when called without any. */
export const compressors = {
  none: noCompression,
  float16,
  int8,
  "top-k": topK,
  "sampled-top-k": sampledTopK,
  "random-k": randomK,
  threshold,
  sign,
  qsgd,
  terngrad: ternGrad,
  powersgd: powerSgd,
} as const;

export type CompressorName = keyof typeof compressors;

export type { ByteCompressor, CollectiveCompressor, Compressor, PlacedTensor } from "./compressor.ts";
export type { PowerSgdOptions } from "./powersgd.ts";
export type { QsgdOptions } from "./qsgd.ts";
export type { RandomKOptions } from "./random-k.ts";
export type { SampledTopKOptions } from "./sampled-top-k.ts";
export type { TernGradOptions } from "./terngrad.ts";
export type { ThresholdOptions } from "./threshold.ts";
export type { TopKOptions } from "./top-k.ts";
