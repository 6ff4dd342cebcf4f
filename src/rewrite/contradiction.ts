/** @file What a pass must not bring about: types that cannot be, and broken invariants. */
import { type Model, verify } from "../ir/index.ts";
import { inferenceOf } from "./inferred.ts";

/**
 * What cannot be true in the result of a pass and was not wrong in the model that it was given. Wrong declared ranks do not count: they are
 * mistakes of the exporter that come to light when a pass makes more known.
 */
export function contradictionIn(before: Model, after: Model): string | undefined {
  if (before === after) return undefined;
  return added(problemsOf(before), problemsOf(after)) ?? added(violationsOf(before), violationsOf(after));
}

function problemsOf(model: Model): string[] {
  const problems = inferenceOf(model).problems.filter(({ wrongRank }) => !wrongRank);
  return problems.map(({ where, message }) => `${message} (${where})`);
}

function violationsOf(model: Model): string[] {
  return verify(model).map(({ where, message }) => `${message} (${where})`);
}

/** The first text of a sort of which there are more than before. Names do not make a sort: passes may change them. */
function added(before: readonly string[], after: readonly string[]): string | undefined {
  const left = new Map<string, number>();
  for (const text of before) left.set(sortOf(text), (left.get(sortOf(text)) ?? 0) + 1);
  return after.find((text) => {
    const count = left.get(sortOf(text)) ?? 0;
    left.set(sortOf(text), count - 1);
    return count <= 0;
  });
}

function sortOf(text: string): string {
  return text.replace(/"(?:[^"\\]|\\.)*"/g, '""').replace(/ \(.*\)$/, "");
}
