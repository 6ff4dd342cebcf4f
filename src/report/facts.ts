/** @file The facts of a job, as they stand in `report.json` and as the HTML page shows them. */

/** One execution environment; no paths and no environment variables. */
export interface Environment {
  readonly lithe: string;
  readonly node: string;
  readonly onnxruntime: string;
  readonly os: string;
  readonly cpu: string;
  /** Instruction sets that decide the speed of low precision: `avx2`, `avx512_vnni`, … */
  readonly cpuFlags: readonly string[];
  readonly cores: number;
  readonly memoryGiB: number;
}

/** Times in milliseconds. */
export interface LatencySummary {
  readonly p50: number;
  readonly p95: number;
  readonly min: number;
  /** Absent in reports of earlier versions, as is the rest below. */
  readonly mean?: number;
  readonly processor?: number;
}

/** A against B; `ratio` = A / B, so above 1 means that B is smaller or faster. */
export interface SizeBlock {
  readonly a: number;
  readonly b: number;
  readonly ratio: number;
}

export interface LatencyBlock {
  readonly ep: string;
  readonly threads: number;
  readonly batch: number;
  readonly a: LatencySummary;
  readonly b: LatencySummary;
  readonly ratio: number;
  readonly spread: readonly [number, number];
  /** Absent in reports of earlier versions, as is the rest below. */
  readonly rounds?: number;
  readonly verdict?: "faster" | "slower" | "same" | "unclear";
  readonly inputs?: number;
  readonly sessions?: number;
}

export interface AgreementBlock {
  readonly n: number;
  readonly maxAbs: number;
  readonly relative: number;
  readonly cosine: number;
  readonly top1?: number;
  /** The worst of all outputs: other classes, 1 − cosine, or other elements; absent in reports of earlier versions. */
  readonly lost?: number;
  /** What gave the answers that were compared; absent in reports of earlier versions. */
  readonly build?: string;
}

export interface AccuracyBlock {
  readonly a: number;
  readonly b: number;
  readonly n: number;
  /** 95 % interval of b − a. */
  readonly interval?: readonly [number, number];
}

export interface ComparisonBlock {
  readonly size: SizeBlock;
  readonly latency: LatencyBlock;
  readonly agreement: AgreementBlock;
  readonly accuracy?: AccuracyBlock;
}

/** A form that was tried; the blocks are absent for what was refused before measuring. */
export interface CandidateFacts extends Partial<ComparisonBlock> {
  readonly form: string;
  readonly accepted: boolean;
  readonly reason: string;
  readonly onFront: boolean;
}

export interface SizeEntry {
  readonly name: string;
  readonly opType: string;
  readonly dtype: string;
  readonly bytes: number;
}

export interface SensitivityEntry {
  readonly node: string;
  readonly opType: string;
  /** Kullback-Leibler divergence of the outputs when this layer alone is quantized, in nats; or a relative error. */
  readonly divergence: number;
  readonly keptFloat: boolean;
}

export interface ProviderFacts {
  readonly ep: string;
  /** The package and version that gave the verdict; absent in reports of earlier versions. */
  readonly build?: string;
  readonly status: "agrees" | "differs" | "failed" | "not available";
  readonly reason: string;
  readonly agreement?: AgreementBlock;
}

export interface ModelFacts {
  readonly name: string;
  readonly sha256: string;
  readonly bytes: number;
  readonly nodes: number;
  readonly parameters: number;
  readonly macs?: number;
  readonly opset: number;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

export interface StageFacts {
  readonly name: string;
  readonly milliseconds: number;
  readonly notes: readonly string[];
}

/** What every report says. */
export interface ReportHeader {
  readonly schema: 1;
  readonly title: string;
  /** A command that makes the same result again. */
  readonly command: string;
  readonly created: string;
  readonly seed: number;
  readonly environment: Environment;
  readonly model: ModelFacts;
}

export interface JobReport extends ReportHeader {
  readonly data: {
    readonly source: string;
    readonly calibration: number;
    readonly selection: number;
    readonly verification: number;
    /** Whether no sample that verifies played a part in choosing. */
    readonly disjoint: boolean;
    /** As many as there were; absent in reports of earlier versions. */
    readonly of?: { readonly selection: number; readonly verification: number };
    readonly labels: boolean;
  };
  readonly bound: {
    readonly maxDrop: number;
    readonly measure: string;
    readonly goal: string;
    readonly budgetSeconds: number;
  };
  readonly verdict: { readonly faster: boolean; readonly sentence: string };
  readonly chosen: ComparisonBlock & { readonly form: string; readonly file: string; readonly model: ModelFacts };
  readonly candidates: readonly CandidateFacts[];
  readonly sizes: { readonly before: readonly SizeEntry[]; readonly after: readonly SizeEntry[] };
  readonly sensitivity: readonly SensitivityEntry[];
  readonly providers: readonly ProviderFacts[];
  readonly stages: readonly StageFacts[];
  readonly warnings: readonly { readonly code: string; readonly message: string }[];
}
