/** @file Reads a `report.json` that may come from anywhere. */
import { z } from "zod";
import { FormatError } from "../errors.ts";
import type { JobReport } from "./facts.ts";
import { reportPage } from "./page.ts";
import type { TechniqueReport } from "./technique-facts.ts";
import { techniquePage } from "./technique-page.ts";
import { measurement, numberOrNaN } from "./training-events.ts";
import type { TrainingReport } from "./training-facts.ts";
import { trainingPage } from "./training-page.ts";

const number = z.number();
/** JSON has no infinity: it is written as `null`. */
const distance = z.union([number, z.null().transform(() => Number.POSITIVE_INFINITY)]);
const text = z.string();
const latency = z.object({
  p50: number,
  p95: number,
  min: number,
  mean: number.optional(),
  processor: number.optional(),
});
const size = z.object({ a: number, b: number, ratio: number });
const timing = z.object({
  ep: text,
  threads: number,
  batch: number,
  a: latency,
  b: latency,
  ratio: number,
  spread: z.tuple([number, number]),
  rounds: number.optional(),
  verdict: z.enum(["faster", "slower", "same", "unclear"]).optional(),
  inputs: number.optional(),
  sessions: number.optional(),
});
const agreement = z.object({
  n: number,
  maxAbs: distance,
  relative: distance,
  cosine: number,
  top1: number.optional(),
  lost: number.optional(),
  build: text.optional(),
});
const accuracy = z.object({ a: number, b: number, n: number, interval: z.tuple([number, number]).optional() });
const comparison = { size, latency: timing, agreement, accuracy: accuracy.optional() };
const environment = z.object({
  lithe: text,
  node: text,
  onnxruntime: text,
  os: text,
  cpu: text,
  cpuFlags: z.array(text),
  cores: number,
  memoryGiB: number,
});
const model = z.object({
  name: text,
  sha256: text,
  bytes: number,
  nodes: number,
  parameters: number,
  macs: number.optional(),
  opset: number,
  inputs: z.array(text),
  outputs: z.array(text),
});
const sizes = z.array(z.object({ name: text, opType: text, dtype: text, bytes: number }));

/** What every report begins with. */
const head = { schema: z.literal(1), title: text, command: text, created: text, seed: number, environment };

const schema = z.object({
  ...head,
  model,
  data: z.object({
    source: text,
    calibration: number,
    selection: number,
    verification: number,
    disjoint: z.boolean(),
    of: z.object({ selection: number, verification: number }).optional(),
    labels: z.boolean(),
  }),
  bound: z.object({ maxDrop: number, measure: text, goal: text, budgetSeconds: number }),
  verdict: z.object({ faster: z.boolean(), sentence: text }),
  chosen: z.object({ ...comparison, form: text, file: text, model }),
  candidates: z.array(
    z.object({
      form: text,
      accepted: z.boolean(),
      reason: text,
      onFront: z.boolean(),
      size: size.optional(),
      latency: timing.optional(),
      agreement: agreement.optional(),
      accuracy: accuracy.optional(),
    }),
  ),
  sizes: z.object({ before: sizes, after: sizes }),
  sensitivity: z.array(z.object({ node: text, opType: text, divergence: distance, keptFloat: z.boolean() })),
  providers: z.array(
    z.object({
      ep: text,
      build: text.optional(),
      status: z.enum(["agrees", "differs", "failed", "not available"]),
      reason: text,
      agreement: agreement.optional(),
    }),
  ),
  stages: z.array(z.object({ name: text, milliseconds: number, notes: z.array(text) })),
  warnings: z.array(z.object({ code: text, message: text })),
});

const course = {
  trained: number,
  steps: number,
  updates: number,
  epochs: number,
  seconds: number,
  stoppedEarly: z.boolean(),
  monitor: text,
  curve: z.array(z.object({ step: number, loss: number, learningRate: number })),
  evaluations: z.array(
    z.object({
      epoch: number,
      step: number,
      metrics: z.record(text, numberOrNaN),
      isBest: z.boolean(),
    }),
  ),
  measured: z.array(measurement).optional(),
};
const settings = z.array(z.object({ name: text, value: text }));

const training = z.object({
  ...head,
  ...course,
  kind: z.literal("training"),
  model,
  data: z.object({ source: text, training: number, validation: number }),
  settings,
  restoredBest: z.boolean(),
  compared: z.array(z.object({ name: text, metrics: z.record(text, numberOrNaN) })).optional(),
  notes: z.array(text),
});

const section = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("table"),
    title: text,
    head: z.array(text),
    rows: z.array(z.object({ cells: z.array(z.union([text, number, z.null()])), isChosen: z.boolean().optional() })),
  }),
  z.object({
    kind: z.literal("chart"),
    title: text,
    label: text,
    x: text,
    y: text,
    series: z.array(z.object({ name: text, points: z.array(z.tuple([numberOrNaN, numberOrNaN])) })),
    empty: text,
  }),
]);

const technique = z.object({
  ...head,
  kind: z.literal("technique"),
  technique: text,
  original: model,
  model,
  data: z.object({ source: text, calibration: number, training: number, verification: number }),
  settings,
  comparison: z.object(comparison),
  sections: z.object({
    verdict: text,
    cards: z
      .array(
        z.object({ label: text, value: text, tone: z.enum(["better", "worse", "plain"]), change: text, note: text }),
      )
      .optional(),
    speeds: z.array(z.object({ label: text, each: text, latency: timing })).optional(),
    parts: z.array(section),
    facts: z.array(z.tuple([text, text])),
  }),
  training: z.object(course).optional(),
  warnings: z.array(z.object({ code: text, message: text })),
  broken: z.array(text),
});

/** The report of an acceleration in `json`; a `FormatError` says what is missing or wrong. */
export function parseReport(json: string, where: string): JobReport {
  return fitting(schema, jsonOf(json, where), where) as JobReport;
}

/** The report of a training run in `json`; a `FormatError` says what is missing or wrong. */
export function parseTrainingReport(json: string, where: string): TrainingReport {
  return fitting(training, jsonOf(json, where), where) as TrainingReport;
}

/** The page of a report in `json`, whatever kind of run it tells of. */
export function pageOfReport(json: string, where: string): string {
  const value = jsonOf(json, where);
  const kind = typeof value === "object" && value !== null && "kind" in value ? value.kind : undefined;
  if (kind === "training") return trainingPage(fitting(training, value, where) as TrainingReport);
  if (kind === "technique") return techniquePage(fitting(technique, value, where) as TechniqueReport);
  return reportPage(fitting(schema, value, where) as JobReport);
}

function jsonOf(json: string, where: string): unknown {
  try {
    return JSON.parse(json);
  } catch (cause) {
    throw new FormatError("a report is not JSON", { where, cause });
  }
}

function fitting<T>(expected: z.ZodType<T>, value: unknown, where: string): T {
  const parsed = expected.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new FormatError("a report does not have the fields that it should", {
    got: issue?.message ?? "another object",
    where: `${where}, ${issue?.path.join(".") || "top level"}`,
  });
}
