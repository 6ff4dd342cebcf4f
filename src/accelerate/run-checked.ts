/** @file A pipeline that should do no more than round, held to that: a pass that does more, or fails, is left out and named. */
import { nth } from "../checked.ts";
import { LitheError } from "../errors.ts";
import type { Model } from "../ir/index.ts";
import { type Batch, measureAgreement, roundingFaults, withMaskProbes } from "../measure/index.ts";
import { encodedSize } from "../onnx/index.ts";
import { checkOptions, type OptionNames } from "../options.ts";
import { cleanup } from "../passes/index.ts";
import type { Note, Pass } from "../rewrite/index.ts";
import { checkCancelled, type OpenSession, type Session, type SessionOptions } from "../runtime/index.ts";
import { evaluateWith } from "./evaluate.ts";
import { firstOf } from "./first-of.ts";

/** A pipeline with something put around each of its passes. */
export type Pipeline = (each: (pass: Pass) => Pass) => Pass;

export interface LeftOut {
  readonly pass: string;
  readonly reason: string;
}

export interface Checked {
  /** What the passes that are right make of the model. */
  readonly model: Model;
  readonly notes: readonly Note[];
  readonly leftOut: readonly LeftOut[];
}

export interface CheckOptions {
  readonly open: OpenSession;
  readonly session?: SessionOptions;
  /** A few are read. */
  readonly batches: () => AsyncIterable<Batch>;
  /** A session of the model as it was; one is opened when absent. */
  readonly original?: Session;
  readonly signal?: AbortSignal;
}

const checkOptionsNames: OptionNames<CheckOptions> = {
  open: true,
  session: true,
  batches: true,
  original: true,
  signal: true,
};

/** Batches that show a pass that computes something else. */
const BATCHES = 4;

/** `cleanup` without the passes that change what this model answers. */
export function cleanupChecked(model: Model, options: CheckOptions): Promise<Checked> {
  const evaluate = evaluateWith(options.open);
  return runChecked(model, (each) => cleanup({ evaluate, each }), options);
}

/**
 * Runs a pipeline and compares every output with the original's, within what rounding explains. Where the answers differ, the first
 * pass after which they do is searched for by halving and left out, until the rest is right.
 *
 * @throws RuntimeError where the runtime refuses the original, CancelledError
 */
export async function runChecked(model: Model, pipeline: Pipeline, options: CheckOptions): Promise<Checked> {
  checkOptions(options, checkOptionsNames);
  const own = options.original ? undefined : await options.open(model, options.session);
  try {
    return await search(model, pipeline, { ...options, original: options.original ?? own! });
  } finally {
    await own?.release();
  }
}

type Known = CheckOptions & Required<Pick<CheckOptions, "original">>;

async function search(model: Model, pipeline: Pipeline, options: Known): Promise<Checked> {
  const leftOut: LeftOut[] = [];
  for (;;) {
    const without = new Set(leftOut.map(({ pass }) => pass));
    const whole = await attempt(model, pipeline, (name) => !without.has(name), options);
    const { effective, fault, failed } = whole;
    if (fault === undefined) return { model: whole.model, notes: whole.notes, leftOut };
    const unjudged = leftOut.length === 0 && !failed ? await faultOf(model, model, options) : undefined;
    if (unjudged !== undefined) return nothingDone(model, `the original does not answer twice alike: ${unjudged}`);
    const found = failed ?? (await firstFault(model, pipeline, effective, fault, options));
    if (found.pass === "" || without.has(found.pass)) return nothingDone(model, found.reason);
    leftOut.push(found);
  }
}

function nothingDone(model: Model, reason: string): Checked {
  return { model, notes: [], leftOut: [{ pass: "all", reason }] };
}

/** The pass at which a prefix of `passes`, in the order in which they first had an effect, begins to answer otherwise. */
async function firstFault(
  model: Model,
  pipeline: Pipeline,
  passes: readonly string[],
  fault: string,
  options: Known,
): Promise<LeftOut> {
  let [right, wrong, reason] = [0, passes.length, fault];
  while (wrong - right > 1) {
    const middle = (right + wrong) >> 1;
    const prefix = new Set(passes.slice(0, middle));
    const found = await attempt(model, pipeline, (name) => prefix.has(name), options);
    if (found.failed) return found.failed;
    if (found.fault === undefined) right = middle;
    else [wrong, reason] = [middle, found.fault];
  }
  return { pass: nth(passes, wrong - 1), reason };
}

interface Attempt {
  readonly model: Model;
  readonly notes: readonly Note[];
  /** Names of the passes that changed something, in the order in which they first did. */
  readonly effective: readonly string[];
  /** Why the result cannot stand. */
  readonly fault?: string;
  /** The pass that threw, if one did. */
  readonly failed?: LeftOut;
}

async function attempt(
  model: Model,
  pipeline: Pipeline,
  isKept: (name: string) => boolean,
  options: Known,
): Promise<Attempt> {
  checkCancelled(options.signal);
  const effective = new Set<string>();
  let running = "";
  const each = (pass: Pass): Pass => ({
    ...pass,
    async run(before) {
      if (!isKept(pass.name)) return { model: before };
      running = pass.name;
      const result = await pass.run(before);
      if (result.model !== before) effective.add(pass.name);
      return result;
    },
  });
  try {
    const { model: changed, notes = [] } = await pipeline(each).run(model);
    const found = { model: changed, notes, effective: [...effective] };
    const fault = changed === model ? undefined : await faultOf(model, changed, options);
    return { ...found, ...(fault !== undefined && { fault }) };
  } catch (error) {
    checkCancelled(options.signal);
    const reason = error instanceof Error ? error.message : String(error);
    return { model, notes: [], effective: [], fault: reason, failed: { pass: running, reason } };
  }
}

/** Why `changed` does not answer as the original does, if so. */
async function faultOf(model: Model, changed: Model, options: Known): Promise<string | undefined> {
  const { open, session, original, batches, signal } = options;
  try {
    await using opened = await open(changed, brief(changed, session));
    const few = withMaskProbes(withoutLabels(firstOf(batches(), BATCHES)));
    const agreement = await measureAgreement(original, opened, few, signal ? { signal } : {});
    return roundingFaults(agreement, model)[0];
  } catch (error) {
    checkCancelled(signal);
    if (changed !== model && error instanceof LitheError) return error.message;
    throw error;
  }
}

/** From here on a model that runs a few times alone is opened as it lies in its file: laying its weights out anew for fast products takes as much memory again, and longer than those runs. */
const LARGE = 2 ** 28;

function brief(model: Model, session: SessionOptions = {}): SessionOptions {
  if (encodedSize(model) < LARGE) return session;
  return { ...session, config: new Map([...(session.config ?? []), ["session.disable_prepacking", "1"]]) };
}

async function* withoutLabels(batches: AsyncIterable<Batch>): AsyncGenerator<Batch> {
  for await (const { feeds } of batches) yield { feeds };
}
