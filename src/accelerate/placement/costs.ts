/** @file Measured costs of a network's parts, for the simulator. */
import { atLeast, must, nth } from "../../checked.ts";
import type { NetworkCost, RunCost, SumCost } from "../../distributed/index.ts";
import {
  byteLength,
  graphBuilder,
  type Model,
  model,
  sizeOf,
  TARGET_OPSET,
  type Tensor,
  tensor,
} from "../../ir/index.ts";
import { type Contender, captureValues, raceLatency } from "../../measure/index.ts";
import { builderInference, inferShapes } from "../../ops/index.ts";
import { checkOptions, type OptionNames } from "../../options.ts";
import { type StepParts, stepParts } from "../../parallel/index.ts";
import { type Feeds, openSession, type Session, type SessionOptions } from "../../runtime/index.ts";
import { type RaceOptions, raceOptionsNames } from "./link.ts";

export interface CostOptions extends RaceOptions {
  readonly session?: SessionOptions;
}

const costOptionsNames: OptionNames<CostOptions> = {
  ...raceOptionsNames,
  session: true,
};

/**
 * Times the parts that one rank with one branch and one with all of them would run, all in turn, each on the values that
 * it gets in the whole model. The cost of a branch is the slope between the two.
 */
export async function measureCosts(model: Model, feeds: Feeds, options: CostOptions = {}): Promise<NetworkCost> {
  checkOptions(options, costOptionsNames);
  const steps = stepParts(model);
  const values = await valuesBetween(model, steps, feeds);
  const parts = [...new Set(steps.flatMap((step) => (step.kind === "run" ? [step.one, step.all] : [])))];
  const [call, ...times] = atLeast(await timesOf([emptyModel(), ...parts], values, options), 1);
  const timeOf = new Map(parts.map((part, i) => [part, nth(times, i)]));
  return {
    call: call,
    steps: steps.map((step) => (step.kind === "sum" ? sumCost(step, values) : runCost(step, timeOf))),
  };
}

type RunParts = Extract<StepParts, { kind: "run" }>;
type SumParts = Extract<StepParts, { kind: "sum" }>;

function runCost({ branches, one, all }: RunParts, timeOf: ReadonlyMap<Model, number>): RunCost {
  const first = must(timeOf, one);
  if (branches < 2) return { kind: "run", branches: 0, fixed: first, branch: 0 };
  const branch = Math.max(0, (must(timeOf, all) - first) / (branches - 1));
  return { kind: "run", branches, fixed: Math.max(0, first - branch), branch };
}

function sumCost({ value, terms }: SumParts, values: Feeds): SumCost {
  const { dtype, dims } = must(values, value);
  return { kind: "sum", terms, bytes: byteLength(dtype, sizeOf(dims)) };
}

/** What the parts read and what is summed, as it is in the whole model. */
async function valuesBetween(model: Model, steps: readonly StepParts[], feeds: Feeds): Promise<Feeds> {
  const names = steps.flatMap((step) =>
    step.kind === "sum" ? [step.value] : [...step.one.graph.inputs, ...step.all.graph.inputs].map(({ name }) => name),
  );
  const values = new Map<string, Tensor>(feeds);
  const inner = [...new Set(names)].filter((name) => !feeds.has(name));
  for await (const captured of captureValues(inferShapes(model), inner, [feeds], openSession)) {
    for (const [name, value] of captured.values) values.set(name, value);
  }
  return values;
}

/** Median milliseconds of each model, in turn. */
async function timesOf(
  models: readonly Model[],
  values: Feeds,
  { session, race = raceLatency, ...options }: CostOptions,
): Promise<number[]> {
  const sessions: Session[] = [];
  try {
    for (const each of models) sessions.push(await openSession(each, { step: "timing parts", ...session }));
    const contenders = sessions.map((opened): Contender => ({ session: opened, feeds: fedTo(opened, values) }));
    return (await race(contenders, options)).map(({ p50 }) => p50);
  } finally {
    await Promise.all(sessions.map((opened) => opened.release()));
  }
}

function fedTo({ inputs }: Session, values: Feeds): Feeds {
  return new Map(inputs.map(({ name }) => [name, values.get(name) ?? tensor("float32", [1], [0])]));
}

/** A run of nothing, almost. */
function emptyModel(): Model {
  const g = graphBuilder({ infer: builderInference(TARGET_OPSET) });
  g.output(g.op("Neg", [g.input("nothing", "float32", [1])]), "negated");
  return model(g.build());
}
