/** @file What a job is asked for on the command line. */
import type { Goal } from "../../accelerate/index.ts";
import type { ExecutionProvider } from "../../runtime/index.ts";
import type { LoadedData } from "../data/loaded-data.ts";
import type { DataOptions, RuntimeOptions } from "../settings/options.ts";

export interface JobOptions extends RuntimeOptions, DataOptions {
  readonly maxDrop: number;
  readonly allowError?: number;
  readonly goal: Goal;
  readonly maxSlowdown?: number;
  /** Seconds. */
  readonly budget: number;
  readonly weightBits?: "auto" | "7" | "8";
  readonly checkEp: readonly ExecutionProvider[];
  readonly out?: string;
  readonly resume?: boolean;
  readonly dryRun?: boolean;
}

export interface JobTarget {
  readonly path: string;
  readonly title: string;
  /** A folder, or the `.onnx` file to write. */
  readonly out: string;
  /** Data that no path names. */
  readonly data?: LoadedData;
  /** The command that does the same again. */
  readonly command?: string;
}
