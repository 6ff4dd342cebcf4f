/** @file Classifiers at inner values of a network: BranchyNet, Teerapittayanon et al. (2016), arXiv:1709.01686. */
import { nth } from "../../checked.ts";
import { UnsupportedError, UsageError } from "../../errors.ts";
import { describeNode, type Model, producerOf, type Value } from "../../ir/index.ts";
import { dimsOf, extend, lengthOf, type RandomSource } from "../../nn/index.ts";
import { checkOptions, type OptionNames } from "../../options.ts";
import type { Loss, LossName, LossTerm } from "../../train/index.ts";
import { type ExitHead, exitHead } from "./head.ts";
import { necksOf } from "./necks.ts";
import { outputTerms } from "./output-terms.ts";

export interface ExitOptions {
  /** Names of the values that exits read, in the order of the computation; or a number of exits, spread over the depth. */
  readonly at: number | readonly string[];
  /** `exitHead()` by default. */
  readonly head?: ExitHead;
}

export interface ExitModel {
  /** Its first output is the whole network's; then come those of the exits. What was there keeps its name. */
  readonly model: Model;
  /** Names of the exits' outputs, logits [batch, classes]. */
  readonly exits: readonly string[];
  /** Names of the values that they read. */
  readonly at: readonly string[];
}

/** Less of a network than this behind an exit is not worth leaving for. */
const LEAST_REST = 0.05;

const exitOptionsNames: OptionNames<ExitOptions> = { at: true, head: true };

/**
 * Adds classifiers with fresh weights from `source`. The network may be anyone's; automatic places need a chain, one in which single values
 * separate what is before them from what is behind.
 *
 * @throws UnsupportedError unless the model has one output of logits [batch, classes]; UsageError for places that are not there.
 */
export function addExits(model: Model, source: RandomSource, options: ExitOptions): ExitModel {
  const { at, head = exitHead() } = checkOptions(options, exitOptionsNames);
  const places = typeof at === "number" ? spread(model, at) : [...at];
  if (places.length === 0 || new Set(places).size < places.length) {
    throw new UsageError("exits need places that differ", { got: places.join(", ") || "none" });
  }
  const exits = places.map((_, i) => `exit/${i}`);
  const extended = extend(model, source, (n, value) => {
    const output = onlyOutput(model);
    const classes = classesOf(model, value(output.name));
    places.forEach((place, i) => {
      const scope = n.scope(`exit${i}`);
      n.output(head(scope, value(place), classes), nth(exits, i));
    });
  });
  return { model: extended, exits, at: places };
}

/** For `fit`: the loss of every exit as a term. The weights default to 1; BranchyNet weighs early exits more. */
export function exitTerms(
  { exits }: Pick<ExitModel, "exits">,
  loss: Loss | LossName,
  weights?: readonly number[],
): LossTerm[] {
  return outputTerms(exits, loss, weights);
}

/** Names of the outputs `…exit/0`, `…exit/1`, … of a model that comes with exits, in order. */
export function exitsOf({ graph }: Model): string[] {
  const numbered = graph.outputs.flatMap(({ name }) => {
    const number = /(?:^|\/)exit\/(\d+)$/.exec(name)?.[1];
    return number === undefined ? [] : [{ name, number: Number(number) }];
  });
  return numbered.sort((a, b) => a.number - b.number).map(({ name }) => name);
}

export function onlyOutput({ graph }: Model): Value {
  const [output, ...others] = graph.outputs;
  if (output && others.length === 0) return output;
  throw new UnsupportedError("exits need a model with one output", {
    got: `${graph.outputs.length} outputs`,
    hint: "exitsOf names the exits of a model that comes with some; other outputs have to be left out first.",
  });
}

function classesOf({ graph }: Model, output: Value): number {
  const producer = graph.outputs[0] && producerOf(graph, graph.outputs[0]);
  if (producer?.opType === "Softmax") {
    throw new UnsupportedError("exits need logits, not probabilities", {
      got: describeNode(producer),
      hint: "Make the input of the Softmax the model's output.",
    });
  }
  const dims = dimsOf(output);
  if (dims.length === 2) return lengthOf(output, 1);
  throw new UnsupportedError("exits need an output of classes", {
    expected: "logits [batch, classes]",
    got: `[${dims.join(", ")}]`,
    where: `output ${JSON.stringify(output.name)}`,
  });
}

/** The last necks before the network goes on computing, `count` of them at equal distances. */
function spread(model: Model, count: number): string[] {
  const batch = model.graph.inputs.find((value) => !model.graph.initializers.has(value));
  const first = batch?.type?.kind === "tensor" ? batch.type.dims?.[0] : undefined;
  const necks = necksOf(model).filter(({ value, depth }) => {
    const type = value.type?.kind === "tensor" ? value.type : undefined;
    const fits = type?.dtype === "float32" && type.dims?.[0] === first && [2, 3, 4].includes(type.dims?.length ?? 0);
    return fits && depth > 0 && depth <= 1 - LEAST_REST;
  });
  const last = necks.filter(({ depth }, i) => depth !== necks[i + 1]?.depth);
  if (!Number.isSafeInteger(count) || count < 1 || count > last.length) {
    throw new UsageError("the network has no room for so many exits", {
      expected: last.length > 0 ? `1 to ${last.length}` : "a chain of layers",
      got: String(count),
      hint: "Places can be given by name.",
    });
  }
  const place = (i: number) => Math.round(((i + 1) * (last.length + 1)) / (count + 1)) - 1;
  return Array.from({ length: count }, (_, i) => nth(last, place(i)).value.name);
}
