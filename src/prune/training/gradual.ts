/** @file Sparsity that grows while the network is trained: Zhu and Gupta, "To prune, or not to prune" (2017), arXiv:1710.01878. */
import type { Layer } from "../../calibration/index.ts";
import { must } from "../../checked.ts";
import { UsageError } from "../../errors.ts";
import { bytesOfTensor, isSparse, type Model, storedWeights, type Tensor, tensor } from "../../ir/index.ts";
import { checkOptions, type OptionNames } from "../../options.ts";
import type { Algorithm, TrainingRun } from "../../train/index.ts";
import { type Masks, maskedTensor, withMasks } from "../masks.ts";
import { criterionOf, granularityOf, masksFor, type SparsifySettings } from "../sparsify.ts";
import { type CourseName, courses } from "./course.ts";
import { trainedLayers, withWeights } from "./trained-layers.ts";

export interface GradualOptions extends Omit<SparsifySettings, "evidence" | "masks"> {
  /** The share of zeros at `begin`; 0 by default. */
  readonly from?: number;
  /** The share of zeros from `end` on. */
  readonly to: number;
  /** Updates, counted from 1: the first and the last after which the masks may grow; 1 by default. */
  readonly begin?: number;
  readonly end: number;
  /** Updates between two looks at the weights; a hundredth of the way by default. */
  readonly every?: number;
  /** How the share grows in between; `"cubic"` by default. */
  readonly course?: CourseName;
}

const gradualOptionsNames: OptionNames<GradualOptions> = {
  from: true,
  to: true,
  begin: true,
  end: true,
  every: true,
  course: true,
  granularity: true,
  criterion: true,
  ranking: true,
  exclude: true,
  seed: true,
};

/**
 * Takes more and more weights out of the training: by default s_t = to + (from − to)·(1 − (t − begin)/(end − begin))³ at update t. What is
 * zero stays zero. A run that ends before `end` is brought to its share in the end.
 *
 * @throws UsageError for shares and updates out of range, and for criteria that need data
 */
export function gradualSparsity(options: GradualOptions): Algorithm {
  const plan = checkedPlan(checkOptions(options, gradualOptionsNames));
  const { from, to, begin, end, every, course, granularity, criterion } = plan;
  return {
    name: "gradual-sparsity",
    settings: {
      ...{ from, to, begin, end, every, course, ranking: options.ranking ?? "local", seed: options.seed ?? 0 },
      ...{ granularity: granularity.name, criterion: criterion.name, exclude: options.exclude ?? [] },
    },
    start() {
      let layers: readonly Layer[] = [];
      return {
        prepare({ model, step, ...rest }) {
          const stored = storedWeights(model);
          layers = trainedLayers(stored, step, options);
          return { ...rest, model: stored, step: { ...step, masks: startingMasks(layers, step.masks) } };
        },
        follows: (update) => update >= begin && update <= end && ((update - begin) % every === 0 || update === end),
        async onUpdate(run) {
          const share = shareAt(plan, run.updates);
          if (share > 0)
            await grow(run, layers, (masks, at) => masksFor(at, { ...settingsOf(plan), sparsity: share, masks }));
        },
        async result(model, run) {
          const masks = await currentMasks(run, layers);
          if (run.updates >= end) return withMasks(model, masks);
          const reached = layers.filter(({ weight }) => masks.has(weight.name));
          const now = withWeights(reached, initializersOf(model));
          return withMasks(model, masksFor(now, { ...settingsOf(plan), sparsity: to, masks }));
        },
      };
    },
  };
}

type Plan = ReturnType<typeof checkedPlan>;

function checkedPlan(options: GradualOptions) {
  const { from = 0, to, begin = 1, end, course = "cubic", ranking, exclude, seed } = options;
  const every = options.every ?? Math.max(1, Math.floor((end - begin) / 100));
  if (!(from >= 0 && from <= to && to < 1))
    throw new UsageError("sparsity cannot grow from one share to the other", {
      expected: "0 ≤ from ≤ to < 1",
      got: `from ${from} to ${to}`,
    });
  if (![begin, end, every].every((count) => Number.isSafeInteger(count) && count >= 1) || end < begin)
    throw new UsageError("sparsity grows between two updates", {
      expected: "whole numbers, 1 ≤ begin ≤ end and every ≥ 1",
      got: `begin ${begin}, end ${end}, every ${every}`,
    });
  const granularity = granularityOf({ ...options, sparsity: to });
  const criterion = criterionOf(options);
  if (criterion.needs !== undefined)
    throw new UsageError("sparsity that grows in training looks at the weights alone", {
      expected: "a criterion that needs no data",
      got: `${criterion.name}, which needs ${criterion.needs}`,
    });
  return { from, to, begin, end, every, course, granularity, criterion, ranking, exclude, seed };
}

function settingsOf({ granularity, criterion, ranking, seed }: Plan) {
  return { granularity, criterion, ...(ranking && { ranking }), ...(seed !== undefined && { seed }) };
}

function shareAt({ from, to, begin, end, course }: Plan, update: number): number {
  const time = end === begin ? 1 : Math.min(1, (update - begin) / (end - begin));
  return from + (to - from) * courses[course](time);
}

function startingMasks(layers: readonly Layer[], given: Masks = new Map()): Masks {
  const all = layers.map(({ weight: { name }, weightTensor: { dims } }): [string, Tensor] => [
    name,
    given.get(name) ?? tensor("bool", dims, new Uint8Array(dims.reduce((a, b) => a * b, 1)).fill(1)),
  ]);
  return new Map([...given, ...all]);
}

/** Names of the parts of the state that belong to each weight. */
function partsOf({ step }: TrainingRun, { weight }: Layer) {
  const own = step.state.filter(({ of }) => of === weight.name);
  const named = (kind: string) => own.find((part) => part.kind === kind)?.name;
  return { parameter: named("parameter"), average: named("average"), mask: named("mask") };
}

async function currentMasks(run: TrainingRun, layers: readonly Layer[]): Promise<Masks> {
  const names = layers.map((layer) => partsOf(run, layer).mask ?? "").filter((name) => name !== "");
  const state = await run.read(names);
  return new Map(
    layers.flatMap((layer) => {
      const { mask } = partsOf(run, layer);
      return mask === undefined ? [] : [[layer.weight.name, must(state, mask)]];
    }),
  );
}

/** Puts larger masks in the place of those of now, and zeros where they say so. */
async function grow(
  run: TrainingRun,
  layers: readonly Layer[],
  choose: (masks: Masks, layers: readonly Layer[]) => Masks,
): Promise<void> {
  const reached = layers.filter((layer) => partsOf(run, layer).mask !== undefined);
  const parts = reached.map((layer) => ({ layer, ...partsOf(run, layer) }));
  const wanted = parts.flatMap(({ parameter, average }) => [parameter, average].filter((name) => name !== undefined));
  const state = await run.read(wanted);
  const weights = new Map(parts.map(({ layer, parameter }) => [layer.weight.name, must(state, parameter!)]));
  const masks = choose(await currentMasks(run, reached), withWeights(reached, weights));
  const next = parts.flatMap(({ layer, parameter, average, mask }): [string, Tensor][] => {
    const chosen = must(masks, layer.weight.name);
    const zeroed = [parameter, average].flatMap((name): [string, Tensor][] =>
      name === undefined ? [] : [[name, maskedTensor(must(state, name), chosen)]],
    );
    return [[mask!, chosen], ...zeroed];
  });
  await run.write(new Map(next));
  run.measured("sparsity", [{ subject: "network", name: "share of zeros", values: [zeroShare(masks)] }]);
}

function zeroShare(masks: Masks): number {
  let [zeros, all] = [0, 0];
  for (const mask of masks.values()) {
    const kept = bytesOfTensor(mask);
    all += kept.length;
    for (const each of kept) if (each === 0) zeros++;
  }
  return zeros / all;
}

function initializersOf({ graph }: Model): ReadonlyMap<string, Tensor> {
  return new Map([...graph.initializers].flatMap(([{ name }, data]) => (isSparse(data) ? [] : [[name, data]])));
}
