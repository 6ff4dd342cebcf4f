/** @file What an acceleration came to. */
import type { Model } from "../ir/index.ts";
import type { Agreement, Comparison, Warning } from "../measure/index.ts";
import type { Samples } from "./samples.ts";

export type { Warning };

/** A form that was tried; without `comparison` it failed or was passed over before measuring. */
export interface CandidateResult {
  /** Of a changed network: the chain, `prune 0.5 rounded 8 → recover 20 epochs → float16`. */
  readonly form: string;
  readonly accepted: boolean;
  readonly reason: string;
  readonly onFront: boolean;
  readonly comparison?: MeasuredComparison;
}

/** A comparison with the number of samples behind its agreement. */
export interface MeasuredComparison extends Comparison {
  readonly n: number;
}

export interface LayerSensitivity {
  readonly node: string;
  readonly opType: string;
  readonly divergence: number;
  readonly keptFloat: boolean;
}

export interface ProviderResult {
  readonly ep: string;
  /** The package and version that gave the verdict, or could not. */
  readonly build: string;
  readonly status: "agrees" | "differs" | "failed" | "not available";
  readonly reason: string;
  readonly agreement?: Pick<Agreement, "n" | "maxAbs" | "relative" | "cosine" | "top1">;
}

export interface StageResult {
  readonly name: string;
  readonly milliseconds: number;
  readonly notes: readonly string[];
}

export interface Accelerated {
  readonly model: Model;
  readonly bytes: Uint8Array;
  readonly form: string;
  /** The steps by which the network was changed, where it was. */
  readonly steps?: readonly string[];
  /** Whether `form` beats the original within the bound; if not, the model is the original, cleaned where that holds. */
  readonly faster: boolean;
  /** Against the original, on the samples kept for verification. */
  readonly comparison: MeasuredComparison;
  readonly candidates: readonly CandidateResult[];
  /** In words: what a drop is measured by. */
  readonly measure: string;
  readonly sensitivity: readonly LayerSensitivity[];
  readonly providers: readonly ProviderResult[];
  readonly stages: readonly StageResult[];
  readonly warnings: readonly Warning[];
  /** `disjoint`: no sample of the verification played a part in choosing. */
  readonly samples: {
    readonly selection: number;
    readonly verification: number;
    readonly disjoint: boolean;
    /** As many as there were for each. */
    readonly of: Samples["sizes"];
  };
  /** Present where no form was measured for lack of time: a budget that would do, by estimate. */
  readonly enoughSeconds?: number;
}
