/** @file The main job on every real model: whatever it is, the command comes to a sensible end. */
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { HORIZON } from "../src/measure/index.ts";
import { type Experiment, type ExperimentContext, markdownTable } from "./experiment.ts";
import { everyOne, intervalText, ratio } from "./judgement.ts";
import { type RealModel, realModels } from "./real-models.ts";

interface Outcome {
  readonly model: string;
  readonly data: string;
  readonly exitCode: number;
  readonly error?: string;
  readonly form?: string;
  readonly faster?: boolean;
  readonly latency?: number;
  readonly spread?: readonly [number, number];
  readonly size?: number;
  readonly top1?: number;
  readonly cosine?: number;
  readonly accuracy?: readonly [number, number];
  readonly samples?: number;
  /** How many forms were measured, and why the others were not. */
  readonly measured: number;
  readonly refused: readonly string[];
  readonly seconds: number;
}

const main = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));

async function run(context: ExperimentContext): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const subject of realModels) {
    const outcome = await context.once(subject.model, () => accelerateOne(subject, context));
    context.log(`${outcome.model}: ${outcome.error ?? `${outcome.form} ${outcome.latency?.toFixed(2)}`}`);
    outcomes.push(outcome);
  }
  return outcomes;
}

async function accelerateOne(subject: RealModel, context: ExperimentContext): Promise<Outcome> {
  const folder = await mkdtemp(join(tmpdir(), "lithe-experiment-"));
  try {
    const data = await subject.data(context, folder);
    const model = `${context.shared}/models/${subject.model}.onnx`;
    const options = ["--budget", "90s", "--goal", "latency", ...data];
    const args = ["accelerate", model, ...options, "-o", join(folder, "out"), "--json"];
    const began = performance.now();
    const { code, stdout } = await lithe(args);
    const seconds = Math.round((performance.now() - began) / 1000);
    return { model: subject.model, data: subject.about, exitCode: code, seconds, ...facts(JSON.parse(stdout)) };
  } finally {
    await rm(folder, { recursive: true });
  }
}

function lithe(args: readonly string[]): Promise<{ code: number; stdout: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [main, ...args], { maxBuffer: 2 ** 27 }, (error, stdout) => {
      resolve({ code: typeof error?.code === "number" ? error.code : error ? -1 : 0, stdout });
    });
  });
}

// biome-ignore lint/suspicious/noExplicitAny: the JSON of the command, documented in docs/accelerate.md
function facts(json: any): Omit<Outcome, "model" | "data" | "exitCode" | "seconds"> {
  if (json.error) return { error: json.error.message, measured: 0, refused: [] };
  const { chosen, candidates, faster } = json;
  return {
    form: chosen.form,
    faster,
    latency: chosen.latency.ratio,
    spread: chosen.latency.spread,
    size: chosen.size.ratio,
    cosine: chosen.agreement.cosine,
    samples: chosen.agreement.n,
    ...(chosen.agreement.top1 !== undefined && { top1: chosen.agreement.top1 }),
    ...(chosen.accuracy && { accuracy: [chosen.accuracy.a, chosen.accuracy.b] }),
    measured: candidates.filter((candidate: { latency?: unknown }) => candidate.latency).length,
    refused: candidates
      .filter((candidate: { latency?: unknown }) => !candidate.latency)
      .map(({ form, reason }: { form: string; reason: string }) => `${form}: ${reason}`),
  };
}

export const accelerateModels: Experiment<readonly Outcome[]> = {
  name: "accelerate-models",
  claim:
    "`lithe accelerate` comes to a sensible end on every real model: a form that is faster within the bound, or the original with the reasons.",
  source: "lithe",
  workload:
    "15 models of others (convolutional, residual, recurrent with branches, detector, image to image, legacy opsets, quantized already), goal latency, at most 1 % lost, 90 s each (240 s for MCUNet), CPU, 1 thread, batch 1.",
  seeds: [1],
  criterion: "every run exits with 0, and no result is slower than its original.",
  run,
  judge: (outcomes) => [
    everyOne(
      "every run exits with 0",
      outcomes,
      ({ exitCode }) => exitCode === 0,
      ({ model, exitCode }) => `${model}: ${exitCode}`,
    ),
    everyOne("no result is slower than its original", outcomes, isNoSlower, ({ model, latency, spread }) =>
      spread ? `${model} ${ratio(latency!)} (${intervalText(spread, ratio)})` : `${model}, which was not timed`,
    ),
  ],
  page(outcomes) {
    const percent = (part: number | undefined): string => (part === undefined ? "–" : `${(100 * part).toFixed(1)} %`);
    const rows = outcomes.map(
      ({ model, data, form, latency, spread, size, top1, cosine, accuracy, samples, error, measured }) => [
        model,
        data,
        error ? `error: ${error}` : (form ?? ""),
        latency && spread ? `${latency.toFixed(2)}× (${spread.map((end) => end.toFixed(2)).join("–")})` : "–",
        size ? `${size.toFixed(2)}×` : "–",
        accuracy
          ? accuracy.map((part) => percent(part)).join(" → ")
          : top1 === undefined
            ? `cosine ${cosine?.toFixed(4)}`
            : `agreement ${percent(top1)}`,
        samples ?? "–",
        measured,
      ],
    );
    return markdownTable(["model", "kind", "result", "faster", "smaller", "quality", "n", "forms measured"], rows);
  },
};

/** A file is no slower than itself; another one where its interval leaves no room for a difference that matters. */
function isNoSlower({ form, spread }: Outcome): boolean | undefined {
  if (form === "original") return true;
  if (!spread) return undefined;
  return spread[1] < 1 ? false : spread[0] > 1 / HORIZON || undefined;
}
