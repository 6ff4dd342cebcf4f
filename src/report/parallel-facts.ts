/** @file The facts of a network made parallel, as they stand in `report.json` and as the HTML page shows them. */
import type { ComparisonBlock, Environment, LatencyBlock, ModelFacts } from "./facts.ts";

/** Consecutive blocks that became one parallel part, or could have. */
export interface WindowFacts {
  /** Where it is, in words: `run 1, blocks 3 to 4`. */
  readonly place: string;
  /** What making it alone parallel does to the answers: nats for scores, a relative squared error for numbers. */
  readonly divergence?: number;
  readonly isParallel: boolean;
}

/** The best plan of a depth before any training, on the samples that choose. */
export interface DepthFacts {
  /** Sequential depth in blocks. */
  readonly depth: number;
  readonly divergence: number;
  readonly accuracy?: number;
}

export interface ParallelReport {
  readonly schema: 1;
  readonly kind: "parallel";
  readonly title: string;
  /** A command that makes the same result again. */
  readonly command: string;
  readonly created: string;
  readonly seed: number;
  readonly environment: Environment;
  readonly original: ModelFacts;
  readonly result: ModelFacts;
  readonly data: {
    readonly source: string;
    readonly selection: number;
    readonly training: number;
    readonly verification: number;
  };
  readonly shape: { readonly branches: number; readonly group: number; readonly arrangement: string };
  /** Runs of blocks: how many, and how many residual steps each has. */
  readonly runs: readonly { readonly blocks: number; readonly period: number }[];
  readonly depth: { readonly before: number; readonly after: number };
  readonly windows: readonly WindowFacts[];
  readonly curve: readonly DepthFacts[];
  /** Original and result, each in one session, on samples that played no part before. */
  readonly comparison: ComparisonBlock;
  /** The original in one session against the result spread over workers of as many threads each. */
  readonly spread?: LatencyBlock & { readonly workers: number };
  readonly training?: {
    readonly epochs: number;
    readonly samples: number;
    readonly seconds: number;
    readonly loss: number;
  };
  /** Stated bounds that are broken, in sentences. */
  readonly broken: readonly string[];
}
