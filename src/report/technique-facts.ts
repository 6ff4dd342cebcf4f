/** @file The facts of a technique's run, as they stand in `report.json` and as the HTML page shows them. */
import type { Sections } from "../technique/index.ts";
import type { ComparisonBlock, ModelFacts, ReportHeader } from "./facts.ts";
import type { TrainingFacts } from "./training-facts.ts";

/** Its `model` is the result. */
export interface TechniqueReport extends ReportHeader {
  readonly kind: "technique";
  readonly technique: string;
  readonly original: ModelFacts;
  readonly data: {
    readonly source: string;
    readonly calibration: number;
    readonly training: number;
    readonly verification: number;
  };
  /** What was asked for, as names and values to print. */
  readonly settings: readonly { readonly name: string; readonly value: string }[];
  /** Original and result, each in sessions of its own, on samples that played no part before. */
  readonly comparison: ComparisonBlock;
  readonly sections: Sections;
  /** Of the distillation from the original, if there was one. */
  readonly training?: TrainingFacts;
  readonly warnings: readonly { readonly code: string; readonly message: string }[];
  /** Stated bounds that are broken, in sentences. */
  readonly broken: readonly string[];
}
