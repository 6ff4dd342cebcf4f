/** @file Every form of every model on every version: what an older runtime computes otherwise than the newest, or refuses. */
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { allGraphs, type Model, type Tensor, valuesOf } from "../../src/ir/index.ts";
import { distance } from "../../src/measure/distance.ts";
import { encodeModel } from "../../src/onnx/index.ts";
import { inferShapes } from "../../src/ops/index.ts";
import { buildForm, type Form, forms } from "./forms.ts";
import { type Build, type Job, type Outcome, runJobs, writeFeeds } from "./runtime.ts";
import type { Subject } from "./subjects.ts";

/** One build of one version, in the folder where it is installed. */
export interface Target {
  readonly version: string;
  readonly build: Build;
  readonly folder: string;
}

export interface Finding {
  readonly subject: string;
  readonly form: string;
  readonly target: string;
  readonly kind: "wrong" | "refused";
  readonly detail: string;
}

export interface Tally {
  tried: number;
  right: number;
  wrong: number;
  refused: number;
}

export interface CompatResult {
  readonly subjects: number;
  /** By target, then by form. */
  readonly tallies: Readonly<Record<string, Readonly<Record<string, Tally>>>>;
  readonly findings: readonly Finding[];
}

/** An original that an older runtime computes otherwise itself says nothing about its forms. */
const ORIGINAL = 1e-3;

/** Sums of float16 are rounded in another order by other versions. */
const HALVES = 4e-3;

/** @param targets the newest version of each build is what the others are compared with; newest last. */
export async function compat(
  subjects: Iterable<Subject>,
  targets: readonly Target[],
  log: (line: string) => void,
): Promise<CompatResult> {
  const scratch = mkdtempSync(join(tmpdir(), "lithe-compat-"));
  try {
    const { jobs, count } = await writeJobs(subjects, scratch, log);
    const outcomes = new Map<Target, ReadonlyMap<string, Outcome>>();
    for (const target of targets) {
      log(`${nameOf(target)}: ${jobs.length} files`);
      outcomes.set(
        target,
        await runJobs(
          target.folder,
          target.build,
          jobs.map(({ job }) => job),
          join(scratch, "run"),
        ),
      );
    }
    return judged(jobs, targets, outcomes, count);
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

interface FormJob {
  readonly job: Job;
  readonly subject: string;
  readonly form: Form;
  readonly tolerance: number;
  /** The job of the original. */
  readonly original: string;
}

async function writeJobs(subjects: Iterable<Subject>, scratch: string, log: (line: string) => void) {
  const jobs: FormJob[] = [];
  let count = 0;
  for (const subject of subjects) {
    const folder = join(scratch, String(count++));
    mkdirSync(folder);
    writeFeeds(join(folder, "feeds.json"), subject.feeds);
    const written = new Set<string>();
    for (const [i, form] of forms.entries()) {
      const model = await buildForm(form, subject);
      if (typeof model === "string") continue;
      const bytes = encodeModel(model);
      const digest = createHash("sha256").update(bytes).digest("hex");
      if (written.has(digest)) continue;
      written.add(digest);
      const path = join(folder, `${i}.onnx`);
      writeFileSync(path, bytes);
      const job = { id: path, model: path, feeds: join(folder, "feeds.json") };
      const tolerance = Math.max(form.tolerance, hasHalves(model) ? HALVES : 0);
      jobs.push({ job, subject: subject.name, form, tolerance, original: join(folder, "0.onnx") });
    }
    if (count % 100 === 0) log(`${count} models, ${jobs.length} files`);
  }
  return { jobs, count };
}

function hasHalves(model: Model): boolean {
  return [...allGraphs(inferShapes(model).graph)].some((graph) =>
    [...valuesOf(graph)].some(({ type }) => type?.kind === "tensor" && type.dtype === "float16"),
  );
}

function judged(
  jobs: readonly FormJob[],
  targets: readonly Target[],
  outcomes: ReadonlyMap<Target, ReadonlyMap<string, Outcome>>,
  subjects: number,
): CompatResult {
  const tallies: Record<string, Record<string, Tally>> = {};
  const findings: Finding[] = [];
  for (const target of targets) {
    const own = outcomes.get(target)!;
    const newest = outcomes.get(targets.findLast(({ build }) => build === target.build)!)!;
    const tally: Record<string, Tally> = {};
    tallies[nameOf(target)] = tally;
    for (const { job, subject, form, tolerance, original } of jobs) {
      if (gapOf(newest.get(original)!, own.get(original)!) > Math.max(ORIGINAL, tolerance)) continue;
      const row = tally[form.name] ?? { tried: 0, right: 0, wrong: 0, refused: 0 };
      tally[form.name] = row;
      row.tried++;
      const found = verdict(tolerance, newest.get(job.id)!, own.get(job.id)!);
      row[found?.kind ?? "right"]++;
      if (found) findings.push({ subject, form: form.name, target: nameOf(target), ...found });
    }
  }
  return { subjects, tallies, findings };
}

function verdict(tolerance: number, newest: Outcome, own: Outcome): Pick<Finding, "kind" | "detail"> | undefined {
  if ("error" in own) return { kind: "refused", detail: own.error.slice(0, 300) };
  if ("error" in newest) return undefined;
  const gap = gapOf(newest, own);
  return gap > tolerance ? { kind: "wrong", detail: `relative error ${gap.toPrecision(2)}` } : undefined;
}

/** The worst relative error of an output; infinite where one of the two has none. */
function gapOf(expected: Outcome, got: Outcome): number {
  if ("error" in expected || "error" in got) return Number.POSITIVE_INFINITY;
  let worst = 0;
  for (const [name, value] of expected.outputs)
    worst = Math.max(worst, relativeGap(name, value, got.outputs.get(name)));
  return worst;
}

function relativeGap(name: string, expected: Tensor, got: Tensor | undefined): number {
  if (!got || expected.dtype !== got.dtype || expected.dims.join() !== got.dims.join()) return Number.POSITIVE_INFINITY;
  const gap = distance(name);
  gap.add(expected, got);
  const { relative, notFinite } = gap.result();
  return notFinite.onlyA > 0 ? Number.POSITIVE_INFINITY : relative;
}

export function nameOf({ version, build }: Target): string {
  return `onnxruntime-${build} ${version}`;
}
