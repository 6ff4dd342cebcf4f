/** @file What a mixture tells beside its answer, as outputs of the model under names that say what they are. */
import { UsageError } from "../../errors.ts";
import type { Model, Value } from "../../ir/index.ts";
import type { Layers } from "../../nn/index.ts";
import type { Carry, LossTerm } from "../../train/index.ts";
import { keepOutputs } from "../lowering/keep-outputs.ts";
import type { Gated } from "./gate.ts";
import { chosenMask, meanOverTokens, rowEntropy } from "./scores.ts";

/** Behind the path of the layer: a loss with its weight, the next value of an initializer, a measure. */
const LOSS = "auxiliary/";
const NEXT = "next/";
const MEASURE = "measure/";

/** Makes outputs of a gate's losses, next values and measures. */
export function announce(n: Layers, gated: Gated, experts: number, dropped: Value | undefined): void {
  for (const { name, weight, value } of gated.losses) {
    if (weight !== 0) n.output(n.mul(value, weight), `${n.path}${LOSS}${name}`);
  }
  for (const { value, next } of gated.moved ?? []) n.output(next, `${NEXT}${value.name}`);
  const { routing, affinity } = gated;
  if (routing.kind === "token-choice") announceRoutes(n, routing.experts, experts);
  if (affinity) {
    n.output(meanOverTokens(n, affinity), `${n.path}${MEASURE}importance`);
    n.output(rowEntropy(n, affinity), `${n.path}${MEASURE}entropy`);
  }
  if (dropped) n.output(dropped, `${n.path}${MEASURE}dropped`);
}

/** Makes outputs of int64 routes [tokens, k], and of the share of tokens of each expert. */
export function announceRoutes(n: Layers, routes: Value, experts: number): void {
  n.output(meanOverTokens(n, chosenMask(n, routes, experts)), `${n.path}${MEASURE}load`);
  n.output(routes, `${n.path}${MEASURE}route`);
}

/** What `fit` needs for the mixtures of a model: their losses as terms, and the biases that move by themselves. */
export function moeTraining(model: Model): { readonly terms: readonly LossTerm[]; readonly carry: Carry } {
  const names = model.graph.outputs.map(({ name }) => name);
  const terms = names
    .filter((name) => isUnder(name, LOSS))
    .map((name): LossTerm => ({ name, build: (_, { output }) => output(name) }));
  const carry = names.filter((name) => name.startsWith(NEXT)).map((name) => [name.slice(NEXT.length), name]);
  return { terms, carry: Object.fromEntries(carry) };
}

/** Names of outputs that measure: `PATHmeasure/load` [experts], `…/importance` [experts], `…/route` [tokens, k], `…/entropy`, `…/dropped`. */
export function moeMeasures(model: Model): string[] {
  return model.graph.outputs.map(({ name }) => name).filter((name) => isUnder(name, MEASURE));
}

/** Names of the outputs that are no side outputs: what the model answers. */
export function mainOutputs(model: Model): string[] {
  return model.graph.outputs.filter((value) => !isSide(value)).map(({ name }) => name);
}

/** The model for inference: without outputs that only training reads, and without what was computed for them alone. */
export async function withoutSideOutputs(model: Model): Promise<Model> {
  const kept = model.graph.outputs.filter((value) => !isSide(value));
  if (kept.length === model.graph.outputs.length) return model;
  if (kept.length === 0) throw new UsageError("the model has no outputs beside those of its gates");
  return keepOutputs(model, kept);
}

function isSide({ name }: Value): boolean {
  return isUnder(name, LOSS) || isUnder(name, MEASURE) || name.startsWith(NEXT);
}

function isUnder(name: string, kind: string): boolean {
  return name.startsWith(kind) || name.includes(`/${kind}`);
}
