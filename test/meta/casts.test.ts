/** @file How often the compiler is told instead of asked: `x!` and `x as T` per 1,000 lines of source. */
import ts from "typescript";
import { expect, it } from "vitest";
import { type Source, sourcesIn } from "./sources.ts";

/** What was reached; it goes down only. */
const BUDGET = 13.1;

function assertionsIn({ tree }: Pick<Source, "tree">): number {
  let count = 0;
  const visit = (node: ts.Node): void => {
    const isCast = ts.isAsExpression(node) && !ts.isConstTypeReference(node.type);
    if (ts.isNonNullExpression(node) || isCast) count++;
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return count;
}

it("assertions of types stay within their budget", () => {
  const sources = sourcesIn("src");
  const lines = sources.reduce((sum, { text }) => sum + text.split("\n").length, 0);
  const count = sources.reduce((sum, source) => sum + assertionsIn(source), 0);
  expect((1000 * count) / lines).toBeLessThanOrEqual(BUDGET);
});

it("assertions are found, and `as const` and `satisfies` are none", () => {
  const text = "a!; b![0]!; c as D; [1] as const; <E>f; g satisfies H; x as unknown as Y;";
  const tree = ts.createSourceFile("a.ts", text, ts.ScriptTarget.Latest, true);
  expect(assertionsIn({ tree })).toBe(6);
});
