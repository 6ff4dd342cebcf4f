/** @file Models with changed fields through everything that lithe does with a model: each ends in a result or a named error. */
import { LitheError } from "../../src/errors.ts";
import { verify } from "../../src/ir/index.ts";
import { decodeModel } from "../../src/onnx/index.ts";
import { type Random, randomFrom } from "./mutate.ts";
import { mutateFields, pick } from "./mutate-fields.ts";
import type { Seeds } from "./seeds.ts";
import { brokenBy, type Stage, type Subject, stages, subjectOf } from "./stages.ts";

/** How one case ended. */
export interface CaseReport {
  /** By stage: `done`, `invalid` (the model is, and it was done all the same), or an error's name. */
  readonly outcomes: Readonly<Record<string, string>>;
  /** What must not happen. */
  readonly failures: readonly string[];
  readonly slowest: { readonly stage: string; readonly ms: number };
}

/** The bytes of one case; equal for equal arguments. */
export function caseBytes(index: number, seed: number, seeds: Seeds): { bytes: Uint8Array; random: Random } {
  const random = randomFrom(Math.imul(seed, 0x9e3779b1) ^ Math.imul(index + 1, 0x85ebca6b));
  const from = (): Uint8Array => pick(random, random() < 0.4 ? seeds.networks : seeds.operators);
  return { bytes: mutateFields(from(), random, from()), random };
}

interface Recorder {
  readonly outcomes: Record<string, string>;
  readonly failures: string[];
  slowest: { stage: string; ms: number };
}

/** @param only the stages to run; by chance when absent. */
export async function fuzzCase(
  index: number,
  seed: number,
  seeds: Seeds,
  only?: readonly string[],
): Promise<CaseReport> {
  const { bytes, random } = caseBytes(index, seed, seeds);
  const report: Recorder = { outcomes: {}, failures: [], slowest: { stage: "", ms: 0 } };
  const decoded = await timed(report, "decode", () => decodeModel(bytes));
  if (!decoded) return report;
  const isValid = (await timed(report, "verify", () => verify(decoded)))?.length === 0;
  if (!isValid) report.outcomes.verify = "invalid";
  const subject = subjectOf(decoded);
  for (const [name, stage] of Object.entries(stages)) {
    const chosen = random() < stage.share;
    if (only ? only.includes(name) : chosen) await runStage(report, name, stage, subject, isValid);
  }
  return report;
}

async function runStage(
  report: Recorder,
  name: string,
  stage: Stage,
  subject: Subject,
  isValid: boolean,
): Promise<void> {
  const { model } = subject;
  const made = await timed(report, name, () => stage.run(subject));
  if (!made || !isValid || made === model) return;
  const result = `${name}, result`;
  const broken = await timed(report, result, () => brokenBy(model, made));
  if (report.outcomes[result] !== "done") report.failures.push(`${name}: the result cannot be written`);
  if (broken) report.failures.push(`${name}: ${broken}`);
}

async function timed<T>(report: Recorder, stage: string, work: () => T | Promise<T>): Promise<T | undefined> {
  const began = performance.now();
  try {
    const result = await work();
    report.outcomes[stage] = "done";
    return result;
  } catch (error) {
    report.outcomes[stage] = error instanceof LitheError ? error.name : "unnamed";
    if (!(error instanceof LitheError)) report.failures.push(`${stage}: ${traceOf(error)}`);
    return undefined;
  } finally {
    const ms = performance.now() - began;
    if (ms > report.slowest.ms) report.slowest = { stage, ms };
  }
}

function traceOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const frames = (error.stack ?? "")
    .split("\n")
    .filter((line) => line.includes("/src/"))
    .slice(0, 4);
  return `${error.name}: ${error.message.slice(0, 200)}${frames.map((line) => ` <${line.trim().replace(/^at |file:.*\/src\//g, "")}>`).join("")}`;
}
