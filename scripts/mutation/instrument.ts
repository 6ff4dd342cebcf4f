/** @file All mutants of a file at once: the original wherever none is active, the mutant where its number is. */
import type { Mutant } from "./mutant.ts";

/** A mutant with the number by which it is made active. */
export interface Numbered {
  readonly id: number;
  readonly mutant: Mutant;
}

/**
 * The variables that name the active mutant, the file for coverage and the test under way. The prefix is one that session processes, whose
 * environment is cut down, are handed on.
 */
export const variables = { active: "LC_LITHE_MUTANT", coverage: "LC_LITHE_COVERAGE", test: "LC_LITHE_TEST" };

/** One line, so that line numbers stay; harmless where there is no process. `seen` forgets when a test begins. */
const header = `const __mutant = (globalThis.__mutant ??= (() => {
  const env = globalThis.process?.env ?? {};
  const active = Number(env.${variables.active} || -1);
  const into = env.${variables.coverage};
  if (!into) return (id) => id === active;
  const { appendFileSync } = process.getBuiltinModule("node:fs");
  const seen = (globalThis.__mutantsSeen = new Set());
  return (id) => {
    if (seen.has(id)) return false;
    seen.add(id);
    appendFileSync(into, id + "\\t" + (process.env.${variables.test} ?? "") + "\\n");
    return false;
  };
})());`.replaceAll(/\n\s*/g, " ");

export function instrumented(text: string, mutants: readonly Numbered[]): string {
  const sorted = [...mutants].sort((a, b) => a.mutant.start - b.mutant.start || b.mutant.end - a.mutant.end);
  const firstLine = /^#!.*\n/.exec(text)?.[0] ?? "";
  return `${firstLine}${header} ${spliced(text, firstLine.length, text.length, sorted)}`;
}

/** The text from `start` to `end` with the mutants in it, outer before inner. */
function spliced(text: string, start: number, end: number, mutants: readonly Numbered[]): string {
  let result = "";
  let at = start;
  for (let i = 0; i < mutants.length; ) {
    const { mutant: outer } = mutants[i]!;
    const inside = mutants.slice(i).filter(({ mutant }) => mutant.start < outer.end);
    const here = inside.filter(({ mutant }) => mutant.start === outer.start && mutant.end === outer.end);
    const inner = spliced(text, outer.start, outer.end, inside.slice(here.length));
    result += text.slice(at, outer.start) + chosen(inner, here);
    at = outer.end;
    i += inside.length;
  }
  return result + text.slice(at, end);
}

function chosen(inner: string, here: readonly Numbered[]): string {
  if (here[0]!.mutant.isStatement) return `{ if (!__mutant(${here[0]!.id})) { ${inner} } }`;
  return `(${here.map(({ id, mutant }) => `__mutant(${id}) ? (${mutant.mutated}) : `).join("")}(${inner}))`;
}
