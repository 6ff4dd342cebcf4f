/** @file Passes: functions from model to model, with a name, composed into pipelines. */
import { InvalidModelError, ShapeError, UnsupportedError } from "../errors.ts";
import type { Model, Tensor } from "../ir/index.ts";
import { contradictionIn } from "./contradiction.ts";

/** What a pass promises numerically. */
export type PassExactness = "exact" | "rounding" | "approximate";

export interface PassResult {
  /** The same object when nothing changed. */
  readonly model: Model;
  /** What was done and what did not apply, with reasons. */
  readonly notes?: readonly Note[];
}

/** One thing that a pass did, or chose not to do. */
export interface Note {
  readonly pass: string;
  /** The rule of the pass that did it, where the pass has rules. */
  readonly rule?: string;
  readonly kind: "applied" | "declined";
  readonly reason: string;
  /** Names of the nodes concerned. */
  readonly nodes: readonly string[];
}

export interface Pass {
  readonly name: string;
  readonly exactness: PassExactness;
  run(model: Model): PassResult | Promise<PassResult>;
}

/** A pass that has its result at once. */
export interface SyncPass extends Pass {
  run(model: Model): PassResult;
}

/** Computes a model's outputs for given inputs; how passes reach a runtime without importing one. */
export type Evaluate = (model: Model, feeds: ReadonlyMap<string, Tensor>) => Promise<ReadonlyMap<string, Tensor>>;

/**
 * Runs passes one after another. A pass that brings about what cannot be (inferred types that contradict the declared ones, dims that do not
 * fit, types that an operator does not allow, names that stand for two things), or that meets such a thing and gives up, is left out, with a note.
 */
export function sequential(name: string, passes: readonly Pass[]): Pass {
  return {
    name,
    exactness: weakest(passes),
    async run(model) {
      const notes: Note[] = [];
      let current = model;
      for (const pass of passes) {
        const result = await attempted(pass, current);
        current = result.model;
        for (const item of result.notes ?? []) notes.push(item);
      }
      return { model: current, notes };
    },
  };
}

async function attempted(pass: Pass, model: Model): Promise<PassResult> {
  try {
    const result = await pass.run(model);
    const contradiction = contradictionIn(model, result.model);
    return contradiction === undefined ? result : leftOut(pass, model, contradiction);
  } catch (error) {
    const isMisfit =
      error instanceof ShapeError || error instanceof InvalidModelError || error instanceof UnsupportedError;
    if (!isMisfit) throw error;
    return leftOut(pass, model, error.message);
  }
}

function leftOut({ name }: Pass, model: Model, cause: string): PassResult {
  return { model, notes: [{ pass: name, kind: "declined", reason: `left out: ${cause}`, nodes: [] }] };
}

/** Repeats a pass until it changes nothing, at most `limit` times. */
export function untilStable(pass: Pass, limit = 20): Pass {
  return {
    ...pass,
    async run(model) {
      const notes: Note[] = [];
      let current = model;
      for (let round = 0; round < limit; round++) {
        const result = await pass.run(current);
        for (const item of result.notes ?? []) notes.push(item);
        if (result.model === current) break;
        current = result.model;
      }
      return { model: current, notes };
    },
  };
}

function weakest(passes: readonly Pass[]): PassExactness {
  if (passes.some((pass) => pass.exactness === "approximate")) return "approximate";
  return passes.some((pass) => pass.exactness === "rounding") ? "rounding" : "exact";
}
