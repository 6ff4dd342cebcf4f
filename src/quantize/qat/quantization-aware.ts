/** @file Quantization-aware training as an algorithm of `fit`: weights are trained through their rounding, and ranges move with them. */
import { UsageError } from "../../errors.ts";
import { isSparse, type Model, scalar, storedWeights, type Tensor } from "../../ir/index.ts";
import { checkOptions, type OptionNames } from "../../options.ts";
import { type Algorithm, chooseParameters, type Preparation, type Turn, withParameters } from "../../train/index.ts";
import { type LearnedRange, type RangeName, ranges } from "../ranges/index.ts";
import { checkShare } from "../ranges/settings.ts";
import { type LearningForm, learningForm, settled, stages } from "./learning-form.ts";

export interface QuantizationAwareOptions {
  /** How ranges move; `"lsq"` by default. */
  readonly range?: LearnedRange | RangeName;
  /** The share of the updates, from the first on, in which activations stay floats while ranges move already; 0 by default. */
  readonly delay?: number;
  /** The share of the updates, up to the last, in which ranges stay; 0.1 by default. */
  readonly freeze?: number;
}

const quantizationAwareOptionsNames: OptionNames<QuantizationAwareOptions> = { range: true, delay: true, freeze: true };

/**
 * Trains a model in which weights and activations stand in front of QuantizeLinear and DequantizeLinear, as `fakeQuantize` makes it and as other
 * tools export it. Rounding is passed straight through (Bengio et al. 2013, arXiv:1308.3432). Running statistics of BatchNormalization stay
 * unless `batchNorm` says otherwise. The result has the same nodes: weights are the trained ones, scales and zero points those that were used last.
 *
 * @throws UsageError for a range that does not exist and shares that do not fit; in the run: for a model without such pairs
 */
export function quantizationAware(options: QuantizationAwareOptions = {}): Algorithm {
  const { range: given = "lsq", delay = 0, freeze = 0.1 } = checkOptions(options, quantizationAwareOptionsNames);
  checkShare("delay", delay);
  checkShare("freeze", freeze);
  if (delay + freeze > 1) {
    throw new UsageError("activations cannot stay floats after ranges have stopped to move", {
      expected: "delay and freeze of 1 together at most",
      got: `${delay} and ${freeze}`,
    });
  }
  const range = rangeOf(given);
  return {
    name: "quantization-aware",
    settings: { range: range.name, ...range.settings, delay, freeze },
    start() {
      let model: Model | undefined;
      return {
        prepare(prepared) {
          model = storedWeights(prepared.model);
          const form = learningForm(model, range);
          checkForm(form);
          return learningTo(prepared, model, form, (turn) => stageAt(turn, delay, freeze));
        },
        result: (trained) => settled(withParameters(model!, tensorsOf(trained))),
      };
    },
  };
}

function rangeOf(given: LearnedRange | RangeName): LearnedRange {
  if (typeof given !== "string") return given;
  const make = ranges[given];
  if (make) return make();
  throw new UsageError("there is no such range", {
    expected: Object.keys(ranges).join(", "),
    got: JSON.stringify(given),
  });
}

function checkForm({ carry }: LearningForm): void {
  if (Object.keys(carry).length > 0) return;
  throw new UsageError("nothing of the model is rounded and put back, so there are no ranges to train with", {
    expected: "floats in front of QuantizeLinear and DequantizeLinear with one scale",
    got: "none",
    hint: "Make the form with fakeQuantize of litheml/quantize from the float model.",
  });
}

/** The preparation with the form that learns in the place of the model. */
function learningTo(
  { step, drive }: Preparation,
  model: Model,
  form: LearningForm,
  stage: (turn: Turn) => number,
): Preparation {
  const { trainable, freeze } = step;
  const chosen = chooseParameters(
    model.graph,
    { ...(trainable && { trainable }), ...(freeze && { freeze }) },
    new Set(),
  );
  const names = new Set([...chosen.map(({ value }) => value.name), ...form.factors.keys()]);
  const { penalties } = form;
  return {
    model: form.model,
    drive: {
      ...drive,
      [form.stage]: { train: (turn) => scalar("float32", stage(turn)), evaluate: scalar("float32", stages.frozen) },
    },
    step: {
      batchNorm: "frozen",
      ...step,
      trainable: ({ name }) => names.has(name),
      carry: { ...step.carry, ...form.carry },
      stopAt: [...(step.stopAt ?? []), ...form.stopAt],
      gradientFactors: new Map([...(step.gradientFactors ?? []), ...form.factors]),
      ...(penalties.length > 0 && {
        terms: [
          ...(step.terms ?? []),
          {
            name: "ranges",
            build: (g, { output }) => penalties.map(output).reduce((sum, penalty) => g.add(sum, penalty)),
          },
        ],
      }),
    },
  };
}

function stageAt({ update, updates }: Turn, delay: number, freeze: number): number {
  if (update >= updates - freeze * updates) return stages.frozen;
  return update < delay * updates ? stages.float : stages.learning;
}

function tensorsOf({ graph }: Model): Map<string, Tensor> {
  const dense = [...graph.initializers].flatMap(([{ name }, data]) => (isSparse(data) ? [] : [[name, data] as const]));
  return new Map(dense);
}
