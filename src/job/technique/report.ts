/** @file The facts of a technique's run, put together for its report. */
import { basename } from "node:path";
import type * as z from "zod";
import type { ProviderResult } from "../../accelerate/index.ts";
import type { Comparison } from "../../measure/index.ts";
import { encodedSize } from "../../onnx/index.ts";
import type { RunFolder, TechniqueReport } from "../../report/index.ts";
import type { Evidence, Sections, Technique } from "../../technique/index.ts";
import { agreementFacts } from "../accelerate/job-report.ts";
import { modelFacts } from "../model/model-facts.ts";
import { fingerprint } from "../model/model-file.ts";
import { environment } from "../run/environment.ts";
import { timestamp } from "../run/timestamp.ts";
import { commandLine, settingWords } from "../settings/command-line.ts";
import { runFacts } from "../training/run-facts.ts";
import { providerTable } from "./elsewhere.ts";
import type { Prepared } from "./prepared.ts";
import { type SharedSettings, techniqueSettings } from "./settings.ts";
import type { TechniqueTarget } from "./target.ts";

export interface TechniqueRun {
  readonly technique: Technique;
  readonly target: TechniqueTarget;
  /** As given. */
  readonly settings: z.output<z.ZodObject>;
  /** Those of the technique. */
  readonly own: z.output<z.ZodObject>;
  readonly shared: SharedSettings;
  readonly warnings: TechniqueReport["warnings"];
}

export interface Judged {
  readonly evidence: Evidence;
  readonly comparison: Comparison;
  readonly elsewhere: readonly ProviderResult[];
  readonly broken: readonly string[];
}

export async function techniqueReport(
  { technique, target, settings, own, shared, warnings }: TechniqueRun,
  { data, facts }: Pick<Prepared, "data" | "facts">,
  { evidence, comparison, elsewhere, broken }: Judged,
  folder: RunFolder,
): Promise<TechniqueReport> {
  const { name } = technique;
  const { path, others, out } = target;
  const { size, latency, agreement, accuracy } = comparison;
  const { model, training } = evidence;
  const file = broken.length === 0 ? await fingerprint(out) : { sha256: "", bytes: encodedSize(model) };
  return {
    schema: 1,
    kind: "technique",
    technique: name,
    title: `lithe ${name}: ${target.name}`,
    command: commandLine(name, [...others, path], techniqueSettings(technique), settings),
    created: timestamp(),
    seed: shared.seed,
    environment: await environment(),
    original: facts,
    model: modelFacts(basename(out), model, file),
    data: {
      source: data.source,
      calibration: data.calibrationSize,
      training: training?.samples ?? 0,
      verification: data.evaluationSize,
    },
    settings: settingWords(technique.settings, own),
    comparison: {
      size,
      latency,
      agreement: agreementFacts(agreement, data.evaluationSize),
      ...(accuracy && { accuracy: { a: accuracy.a, b: accuracy.b, n: accuracy.n } }),
    },
    sections: withProviders(technique.sections(evidence, own, comparison), elsewhere),
    ...(training && { training: await runFacts(training, folder) }),
    warnings: [...warnings, ...comparison.warnings],
    broken,
  };
}

function withProviders(sections: Sections, elsewhere: readonly ProviderResult[]): Sections {
  return elsewhere.length === 0 ? sections : { ...sections, parts: [...sections.parts, providerTable(elsewhere)] };
}
