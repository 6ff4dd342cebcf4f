/**
 * @file Nothing waits for an `AbortSignal.timeout`: on Node 20 one that only `AbortSignal.any` holds is collected with its timer, and the
 * work that it was to end goes on. `limitedSignal` holds its timer and clears it.
 */
import ts from "typescript";
import { describe, expect, it } from "vitest";
import { type Source, sourcesIn } from "./sources.ts";

function isBareTimer({ expression, name }: ts.PropertyAccessExpression): boolean {
  return /^(timeout|any)$/.test(name.text) && /\bAbortSignal$/.test(expression.getText());
}

/** Places where one of the two is called or handed on. */
function bareTimersIn({ path, tree }: Source): string[] {
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isPropertyAccessExpression(node) && isBareTimer(node)) {
      const { line } = tree.getLineAndCharacterOfPosition(node.getStart(tree));
      found.push(`${path}:${line + 1} ${node.getText(tree)}`);
    }
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return found;
}

describe("timers", () => {
  it("are held by `limitedSignal`", () => {
    expect(["src", "examples", "experiments"].flatMap(sourcesIn).flatMap(bareTimersIn)).toEqual([]);
  });

  it("are found where they are not", () => {
    const text =
      "const a = AbortSignal.any([s, AbortSignal.timeout(5)]);\nlist.map(AbortSignal.timeout); AbortSignal.abort();";
    const tree = ts.createSourceFile("a.ts", text, ts.ScriptTarget.Latest, true);
    expect(bareTimersIn({ path: "a.ts", text, tree })).toEqual([
      "a.ts:1 AbortSignal.any",
      "a.ts:1 AbortSignal.timeout",
      "a.ts:2 AbortSignal.timeout",
    ]);
  });
});
