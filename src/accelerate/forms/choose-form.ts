/** @file Which of several forms of one model runs fastest on a provider, for a batch. */
import { nth } from "../../checked.ts";
import { UsageError } from "../../errors.ts";
import type { Model } from "../../ir/index.ts";
import { measureAgreement, openReplicas, type Replicas, raceLatency, type Standing } from "../../measure/index.ts";
import { encodedSize } from "../../onnx/index.ts";
import { checkOptions, type OptionNames } from "../../options.ts";
import {
  checkCancelled,
  type Feeds,
  judged,
  openSession,
  type Session,
  type SessionOptions,
} from "../../runtime/index.ts";
import { certainlyFastest } from "../certainly-fastest.ts";
import { reasonOf } from "../reason.ts";

/** A form, or why there is none. */
export type CandidateForm =
  | { readonly name: string; readonly model: Model }
  | { readonly name: string; readonly reason: string };

export interface FormOptions {
  /** The provider and its threads, for which the choice is made. */
  readonly session?: SessionOptions;
  /** Seconds of the race; default 10. */
  readonly seconds?: number;
  /** ‖a − b‖ / ‖a‖ between answers that count as equal; default 1e-3. */
  readonly tolerance?: number;
  readonly signal?: AbortSignal;
  /** Times sessions against each other, the first first; default `raceLatency`. */
  readonly race?: typeof raceLatency;
}

export interface FormRow {
  readonly name: string;
  /** ‖a − b‖ / ‖a‖ from the answers of the first form that runs. */
  readonly difference?: number;
  /** Milliseconds, and the ratio to the first form that runs with its spread; absent where it was not timed. */
  readonly measured?: Standing;
  /** Why it was not timed. */
  readonly reason?: string;
}

export interface FormChoice {
  /** The name of a form. */
  readonly choice: string;
  /** As the forms were given. */
  readonly rows: readonly FormRow[];
  /** The build whose answers were compared (`judgeOf`); times are of the sessions here. */
  readonly build: string;
}

const TOLERANCE = 1e-3;

const STEP = "choosing a form";

const formOptionsNames: OptionNames<FormOptions> = {
  session: true,
  seconds: true,
  tolerance: true,
  signal: true,
  race: true,
};

/**
 * Drops forms that do not run or whose answers to these feeds differ from those of the first that does, times the others in one
 * interleaved race, and chooses the fastest; one other than the first has to be certain to be faster, by the 95 % interval of the ratio.
 * The choice is for the provider of `session` and the batch of the feeds.
 *
 * @throws UsageError when two forms have one name, or none runs.
 */
export async function chooseForm(
  forms: readonly CandidateForm[],
  feeds: Feeds,
  options: FormOptions = {},
): Promise<FormChoice> {
  const {
    session = {},
    seconds = 10,
    tolerance = TOLERANCE,
    signal,
    race = raceLatency,
  } = checkOptions(options, formOptionsNames);
  const names = forms.map(({ name }) => name);
  if (new Set(names).size < names.length) {
    throw new UsageError("forms are told apart by their names", { got: names.join(", ") });
  }
  const runners: Runner[] = [];
  const left: FormRow[] = [];
  try {
    for (const form of forms) {
      checkCancelled(signal);
      const admitted = await admit(form, runners[0], feeds, session, tolerance);
      if ("session" in admitted) runners.push(admitted);
      else left.push(admitted);
    }
    requireRunner(left, runners);
    for (const runner of runners) {
      checkCancelled(signal);
      runner.replicas = await openReplicas(openSession, runner.model, encodedSize(runner.model), session);
    }
    const sides = runners.map((runner) => ({ session: runner.session, replicas: runner.replicas!.sessions, feeds }));
    const standings = await race(sides, { seconds, ...(signal && { signal }) });
    return chosenFrom(
      names,
      [...left, ...runners.map((runner, i) => timed(runner, nth(standings, i)))],
      nth(runners, 0),
    );
  } finally {
    await Promise.all(
      runners.flatMap(({ session, replicas }) => [session.release(), replicas?.[Symbol.asyncDispose]()]),
    );
  }
}

interface Runner {
  readonly name: string;
  readonly model: Model;
  readonly session: Session;
  readonly difference: number;
  readonly build: string;
  replicas?: Replicas;
}

/** Opens a form and runs it beside the first one. What the runtime or the judge refuses, and what answers otherwise, is no runner. */
async function admit(
  form: CandidateForm,
  first: Runner | undefined,
  feeds: Feeds,
  options: SessionOptions,
  tolerance: number,
): Promise<Runner | FormRow> {
  if ("reason" in form) return form;
  const { name } = form;
  let session: Session | undefined;
  try {
    session = await openSession(form.model, { step: STEP, ...options });
    await using answering = await judged(session, form.model, STEP);
    const { build } = answering;
    const { relative } = await measureAgreement(first?.session ?? session, answering.session, [{ feeds }]);
    if (relative <= tolerance) return { name, model: form.model, session, difference: relative, build };
    await session.release();
    return { name, difference: relative, reason: `its answers differ by ${relative.toExponential(1)} in ${build}` };
  } catch (error) {
    await session?.release();
    return { name, reason: reasonOf(error) };
  }
}

function requireRunner(left: readonly FormRow[], runners: readonly Runner[]): void {
  if (runners.length > 0) return;
  throw new UsageError("none of the forms runs", {
    expected: "one form or more",
    got: left.map(({ name, reason }) => `${name}: ${reason}`).join("; ") || "none",
  });
}

function timed({ name, difference }: Runner, measured: Standing): FormRow {
  return { name, difference, measured };
}

function chosenFrom(names: readonly string[], unordered: readonly FormRow[], first: Runner): FormChoice {
  const rows = unordered.toSorted((a, b) => names.indexOf(a.name) - names.indexOf(b.name));
  const { name: choice } = certainlyFastest(rows.find(({ name }) => name === first.name)!, rows);
  return { choice, rows, build: first.build };
}
