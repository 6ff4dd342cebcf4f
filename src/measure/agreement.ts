/** @file How far two sessions' answers lie apart on the same inputs. */
import { must, nth } from "../checked.ts";
import { type Deadline, isPast } from "../deadline.ts";
import { DataError, LitheError, UnsupportedError } from "../errors.ts";
import { maxOf, minOf, type Tensor } from "../ir/index.ts";
import { checkOptions, type OptionNames } from "../options.ts";
import { checkCancelled, type Feeds, formatPort, isFetchable, type Session } from "../runtime/index.ts";
import { type ClassAnswers, classAnswers, type PairedAccuracy } from "./class-answers.ts";
import { type Distance, distance, isFloat, type OutputAgreement } from "./distance.ts";

export interface Batch {
  readonly feeds: Feeds;
  /** The right class of every sample. */
  readonly labels?: readonly number[];
  /** Where the samples came from, for error messages. */
  readonly sources?: readonly string[];
  /** Inputs made up to reach what the data does not. They have no classes, and where A itself refuses them they are left out. */
  readonly isProbe?: boolean;
}

export interface Agreement {
  /** Samples: labels where there are some, else the length of the first input's first axis; summed over the batches. */
  readonly n: number;
  /** The worst of all outputs. */
  readonly maxAbs: number;
  readonly relative: number;
  readonly cosine: number;
  /**
   * The share of samples to which both give the same class, of the output where it is least; absent where no output is a row of
   * classes [samples, classes].
   */
  readonly top1?: number;
  /**
   * What is lost, the worst of all outputs: the share of samples with another class, 1 − cosine of other numbers, the share of
   * integers, booleans and texts that differ.
   */
  readonly lost: number;
  readonly perOutput: readonly OutputAgreement[];
  /** Outputs that one of the two has and the other lacks, in sentences. */
  readonly missing: readonly string[];
  readonly accuracy?: PairedAccuracy;
}

export interface AgreementOptions {
  readonly seed?: number;
  readonly signal?: AbortSignal;
  /** Ends earlier, at this moment, with the batches so far; one is measured at least. */
  readonly deadline?: Deadline;
}

export const agreementOptionsNames: OptionNames<AgreementOptions> = { seed: true, signal: true, deadline: true };

/**
 * Runs both sessions on every batch; only sums and one class per sample and output are kept.
 *
 * @throws UnsupportedError for an output that is no tensor or cannot be fetched, DataError without batches, for models without a
 * common output and for labels that do not fit
 */
export async function measureAgreement(
  a: Session,
  b: Session,
  batches: AsyncIterable<Batch> | Iterable<Batch>,
  options: AgreementOptions = {},
): Promise<Agreement> {
  const { seed = 0, signal, deadline } = checkOptions(options, agreementOptionsNames);
  const { pairs, missing } = pairedOutputs(a, b);
  const distances = pairs.map(([name]) => distance(name));
  const answers = classAnswers(pairs.map(([name]) => name));
  let n = 0;
  for await (const batch of batches) {
    checkCancelled(signal);
    if (n > 0 && isPast(deadline)) break;
    const outputs = await bothOutputs(a, b, batch, pairs);
    if (!outputs) continue;
    const [left, right] = outputs;
    for (const [i, found] of distances.entries()) found.add(nth(left, i), nth(right, i));
    if (batch.isProbe) continue;
    const samples = batch.labels?.length ?? samplesOf(batch.feeds);
    n += samples;
    answers.add(left, right, samples, batch);
  }
  if (n === 0) throw new DataError("there is nothing to compare", { expected: "at least one batch", got: "none" });
  return summary(n, distances, answers, missing, seed);
}

type Pairs = readonly (readonly [string, string])[];

/** Outputs of both in the order of the pairs; none for a probe that A refuses. */
async function bothOutputs(
  a: Session,
  b: Session,
  { feeds, isProbe = false }: Batch,
  pairs: Pairs,
): Promise<readonly [Tensor[], Tensor[]] | undefined> {
  const [left, right] = await Promise.allSettled([a.run(feeds), b.run(feeds)]);
  if (left.status === "rejected" && isProbe && left.reason instanceof LitheError) return undefined;
  if (left.status === "rejected") throw left.reason;
  if (right.status === "rejected") throw right.reason;
  return [pairs.map(([name]) => must(left.value, name)), pairs.map(([, name]) => must(right.value, name))];
}

/** The length of the first input's first axis. */
function samplesOf(feeds: Feeds): number {
  const [first] = feeds.values();
  return first?.dims[0] ?? 1;
}

function summary(
  n: number,
  distances: readonly Distance[],
  answers: ClassAnswers,
  missing: readonly string[],
  seed: number,
): Agreement {
  const top1 = answers.top1();
  const perOutput = distances.map((found): OutputAgreement => {
    const result = found.result();
    const share = top1.get(result.name);
    return share === undefined ? result : { ...result, top1: share };
  });
  const accuracy = answers.accuracy(seed);
  return {
    n,
    maxAbs: maxOf(perOutput.map(({ maxAbs }) => maxAbs)),
    relative: maxOf(perOutput.map(({ relative }) => relative)),
    cosine: minOf(perOutput.map(({ cosine }) => cosine)),
    ...(top1.size > 0 && { top1: minOf([...top1.values()]) }),
    lost: maxOf(perOutput.map(lostIn)),
    perOutput,
    missing,
    ...(accuracy && { accuracy }),
  };
}

function lostIn(output: OutputAgreement): number {
  if (output.top1 !== undefined) return 1 - output.top1;
  return 1 - (isFloat(output) ? output.cosine : output.same);
}

/** Outputs of one name belong together; the others in their order, where there are as many of them. */
function pairedOutputs(a: Session, b: Session): { readonly pairs: Pairs; readonly missing: readonly string[] } {
  for (const port of [...a.outputs, ...b.outputs]) {
    if (port.dtype !== undefined && isFetchable(port.dtype)) continue;
    throw new UnsupportedError("an output is no tensor that can be compared", {
      got: formatPort(port),
      where: `output ${JSON.stringify(port.name)}`,
    });
  }
  const [ownA, ownB] = [a.outputs.map(({ name }) => name), b.outputs.map(({ name }) => name)];
  const shared = ownA.filter((name) => ownB.includes(name));
  const [onlyA, onlyB] = [ownA.filter((name) => !shared.includes(name)), ownB.filter((name) => !shared.includes(name))];
  const isRenamed = onlyA.length === onlyB.length;
  if (shared.length === 0 && !isRenamed) {
    const listed = (names: readonly string[]) => names.map((name) => JSON.stringify(name)).join(", ");
    throw new DataError("two models have no output in common", { expected: listed(ownA), got: listed(ownB) });
  }
  const renamed = new Map(isRenamed ? onlyA.map((name, i) => [name, nth(onlyB, i)]) : []);
  const pairs = ownA.flatMap((name): Pairs => {
    const other = shared.includes(name) ? name : renamed.get(name);
    return other === undefined ? [] : [[name, other]];
  });
  return { pairs, missing: isRenamed ? [] : [...lackOf(onlyA, "B"), ...lackOf(onlyB, "A")] };
}

function lackOf(names: readonly string[], model: string): string[] {
  return names.map((name) => `output ${JSON.stringify(name)} is missing in ${model}`);
}
