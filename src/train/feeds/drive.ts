/** @file Inputs of a model that a run feeds itself: temperatures, masks, keys of noise. */
import { UsageError } from "../../errors.ts";
import { type Graph, numbersOf, type Tensor, type Value } from "../../ir/index.ts";

/** The place in a run that a driven input is fed for. */
export interface Turn {
  /** Batches before this one, over the whole run. */
  readonly batch: number;
  /** Updates before this one, and those of the whole run. */
  readonly update: number;
  readonly updates: number;
  readonly seed: number;
}

/** What an input that the data does not have is fed with. Depends on nothing but the turn, so that a run can be resumed. */
export interface Drive {
  train(turn: Turn): Tensor;
  /** In evaluations. */
  readonly evaluate: Tensor;
}

export type Drives = Readonly<Record<string, Drive>>;

/** @throws UsageError for a name that is no input of the model. */
export function checkDrives({ inputs }: Graph, drives: Drives = {}): void {
  const names = inputs.map(({ name }) => name);
  const unknown = Object.keys(drives).find((name) => !names.includes(name));
  if (unknown === undefined) return;
  throw new UsageError("the model has no such input to drive", {
    expected: names.join(", "),
    got: JSON.stringify(unknown),
  });
}

/** The inputs that data has to fill. */
export function undriven(inputs: readonly Value[], drives: Drives = {}): Value[] {
  return inputs.filter(({ name }) => !Object.hasOwn(drives, name));
}

export function evaluationFeeds(drives: Drives = {}): [string, Tensor][] {
  return Object.entries(drives).map(([name, { evaluate }]) => [name, evaluate]);
}

/** Samples of what the drives feed, for telling one run from another. */
export function drivesSampled(drives: Drives = {}, turns: readonly Turn[]): string[] {
  return Object.entries(drives).flatMap(([name, drive]) =>
    turns.map((turn) => `${name} ${numbersOf(drive.train(turn))}`),
  );
}
