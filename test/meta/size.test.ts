/** @file Budgets of files and functions, and words that stand for a missing name. */
import ts from "typescript";
import { describe, expect, it } from "vitest";
import { lineCount, type Source, sourcesIn } from "./sources.ts";

const sources = sourcesIn("src");

interface Measured {
  readonly name: string;
  readonly lines: number;
}

describe("size", () => {
  const files = sources.map((source) => ({
    name: source.path,
    lines: source.text.split("\n").length - tableLines(source),
  }));
  const functions = sources.flatMap(functionsOf);

  it("keeps files short", () => {
    expect(over(files, 500)).toEqual([]);
    expect(percentile(files, 0.95)).toBeLessThanOrEqual(350);
  });

  it("keeps functions short", () => {
    expect(over(functions, 60)).toEqual([]);
    expect(percentile(functions, 0.95)).toBeLessThanOrEqual(30);
  });

  it("uses the words of the field", () => {
    const vague = /(^|[/-])(utils?|helpers?|manager|handler|base|impl|common)\.ts$/;
    expect(sources.filter(({ path }) => vague.test(path)).map(({ path }) => path)).toEqual([]);
  });
});

function over(items: readonly Measured[], limit: number): string[] {
  return items.filter(({ lines }) => lines > limit).map(({ name, lines }) => `${name}: ${lines}`);
}

function percentile(items: readonly Measured[], part: number): number {
  const sorted = items.map(({ lines }) => lines).sort((a, b) => a - b);
  return sorted[Math.floor(part * (sorted.length - 1))] ?? 0;
}

/** Lines of top-level object and array literals: tables are data. */
function tableLines({ tree }: Source): number {
  let lines = 0;
  for (const statement of tree.statements) {
    if (!ts.isVariableStatement(statement)) continue;
    for (const { initializer } of statement.declarationList.declarations) {
      const literal = initializer && unwrapped(initializer);
      if (literal && (ts.isObjectLiteralExpression(literal) || ts.isArrayLiteralExpression(literal))) {
        lines += lineCount(tree, statement);
      }
    }
  }
  return lines;
}

function unwrapped(node: ts.Expression): ts.Expression {
  if (ts.isAsExpression(node) || ts.isSatisfiesExpression(node) || ts.isParenthesizedExpression(node)) {
    return unwrapped(node.expression);
  }
  if (ts.isNewExpression(node) && node.arguments?.[0]) return unwrapped(node.arguments[0]);
  return node;
}

function functionsOf({ path, tree }: Source): Measured[] {
  const found: Measured[] = [];
  const visit = (node: ts.Node): void => {
    const name = functionName(node);
    if (name !== undefined) found.push({ name: `${path} ${name}`, lines: lineCount(tree, node) });
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return found;
}

function functionName(node: ts.Node): string | undefined {
  if (ts.isFunctionDeclaration(node) || ts.isMethodDeclaration(node)) return node.name?.getText() ?? "(anonymous)";
  if (ts.isConstructorDeclaration(node)) return "constructor";
  if (!ts.isArrowFunction(node) && !ts.isFunctionExpression(node)) return undefined;
  const { parent } = node;
  return ts.isVariableDeclaration(parent) || ts.isPropertyAssignment(parent) ? parent.name.getText() : undefined;
}
