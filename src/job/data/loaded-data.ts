/** @file Data of a command, opened. */
import type { Dataset } from "../../data/index.ts";
import type { Feeds } from "../../runtime/index.ts";

export interface LabelledFeeds {
  readonly feeds: Feeds;
  readonly labels?: readonly number[];
  readonly count: number;
}

export interface LoadedData {
  /** For reports: what it is and what was assumed. */
  readonly source: string;
  readonly assumptions: readonly string[];
  readonly hasLabels: boolean;
  readonly calibration: () => AsyncIterable<LabelledFeeds>;
  readonly evaluation: () => AsyncIterable<LabelledFeeds>;
  readonly calibrationSize: number;
  readonly evaluationSize: number;
  /** The samples as data sets, where they are samples; those to train on have no part in calibration and evaluation. */
  readonly datasets?: { readonly calibration: Dataset; readonly training: Dataset };
}
