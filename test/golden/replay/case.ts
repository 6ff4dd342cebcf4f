/** @file What a case of the replay is. */
import { type Model, reference, type rewrite, type Tensor } from "./lithe.ts";

/** Makes something: a model, or plain values with models in them. */
export type Make = () => unknown;

/** Cases by name. */
export type Cases = Readonly<Record<string, Make>>;

/** Each member of an index under `KIND NAME`. */
export function each<Name extends string>(kind: string, names: Iterable<Name>, make: (name: Name) => unknown): Cases {
  return Object.fromEntries(Array.from(names, (name) => [`${kind} ${name}`, () => make(name)]));
}

/** The names of an index. */
export function namesOf<Index extends object>(index: Index): (keyof Index & string)[] {
  return Object.keys(index) as (keyof Index & string)[];
}

/** Constants as the reference evaluator computes them, on any machine. */
export const byReference: rewrite.Evaluate = async (model: Model, feeds: ReadonlyMap<string, Tensor>) =>
  reference.evaluate(model, feeds, { precision: "declared" });
