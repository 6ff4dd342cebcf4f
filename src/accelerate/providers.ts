/** @file Whether one file gives the same answers on other execution providers. */
import type { Deadline } from "../deadline.ts";
import { MissingPackageError } from "../errors.ts";
import type { Model } from "../ir/index.ts";
import { type Agreement, type Batch, lossyFaults, measureAgreement } from "../measure/index.ts";
import { checkOptions, type OptionNames } from "../options.ts";
import { type ExecutionProvider, judgeOf, type OpenSession } from "../runtime/index.ts";
import { percent } from "./choose.ts";
import { reasonOf } from "./reason.ts";
import type { ProviderResult } from "./result.ts";
import type { Batches, Samples } from "./samples.ts";

/** What two providers may differ by on one file: kernels round requantized integers differently in rare ties. */
export const providerTolerance = { relative: 0.02, top1: 0.98 } as const;

/** Batches that are enough to see a wrong kernel; after so many milliseconds the fewest are. */
const BATCHES = { fewest: 4, most: 24, milliseconds: 10_000 };

const STEP = "comparing providers";

export interface ProviderOptions {
  readonly ep: ExecutionProvider;
  readonly threads: number;
  readonly otherProviders: readonly ExecutionProvider[];
  /** Each is compared on one batch only from this moment on. */
  readonly deadline?: Deadline;
}

const providerOptionsNames: OptionNames<ProviderOptions> = {
  ep: true,
  threads: true,
  otherProviders: true,
  deadline: true,
};

/** The answers of `model` on each other provider, by the build that judges it, against those on the chosen one. */
export async function agreementElsewhere(
  open: OpenSession,
  model: Model,
  samples: Pick<Samples, "verification">,
  options: ProviderOptions,
): Promise<ProviderResult[]> {
  const { ep, threads, otherProviders, deadline } = checkOptions(options, providerOptionsNames);
  const others = new Set(otherProviders.filter((other) => other !== ep));
  // A chosen WebGPU has a judge of its own where there is a page: what the file is for runs in one.
  if (ep === "webgpu") others.add(ep);
  if (others.size === 0) return [];
  await using home = await open(model, { ep, threads, stock: true, step: STEP });
  const results: ProviderResult[] = [];
  for (const other of others) {
    await using judge = await judgeOf(other, open, model);
    if (other === ep && !judge.isPage) continue;
    const where = { ep: other, build: judge.build };
    try {
      await using away = await judge.open(model, STEP);
      const agreement = await measureAgreement(home, away, withoutLabels(samples.verification), {
        ...(deadline && { deadline }),
      });
      results.push({ ...where, ...judged(agreement) });
    } catch (error) {
      const status = error instanceof MissingPackageError ? "not available" : "failed";
      results.push({ ...where, status, reason: reasonOf(error) });
    }
  }
  return results;
}

/** A provider that is not installed says nothing against a model. */
export function agreesElsewhere({ status }: ProviderResult): boolean {
  return status === "agrees" || status === "not available";
}

function judged(found: Agreement): Pick<ProviderResult, "status" | "reason" | "agreement"> {
  const { n, maxAbs, relative, cosine, top1, lost } = found;
  const agreement = { n, maxAbs, relative, cosine, ...(top1 !== undefined && { top1 }) };
  const faults = lossyFaults(found, { relative: providerTolerance.relative });
  if (faults.length === 0 && !(lost <= 1 - providerTolerance.top1)) {
    faults.push(`other answers to ${percent(lost)}, bound ${percent(1 - providerTolerance.top1)}`);
  }
  const bound = `relative error ${relative.toExponential(1)}, bound ${providerTolerance.relative}`;
  return faults.length === 0
    ? { status: "agrees", reason: bound, agreement }
    : { status: "differs", reason: faults.join("; "), agreement };
}

async function* withoutLabels(batches: Batches): AsyncGenerator<Batch> {
  const began = performance.now();
  let count = 0;
  for await (const { feeds } of batches()) {
    const isLate = performance.now() - began > BATCHES.milliseconds;
    if (count === BATCHES.most || (isLate && count >= BATCHES.fewest)) return;
    count++;
    yield { feeds };
  }
}
