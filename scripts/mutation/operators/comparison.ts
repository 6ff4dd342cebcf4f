/** @file Comparisons: the boundary moved, and the opposite. */
import ts from "typescript";
import { type Operator, swapped } from "./operator.ts";

const { SyntaxKind } = ts;

const opposites = {
  [SyntaxKind.LessThanToken]: [">="],
  [SyntaxKind.LessThanEqualsToken]: [">"],
  [SyntaxKind.GreaterThanToken]: ["<="],
  [SyntaxKind.GreaterThanEqualsToken]: ["<"],
  [SyntaxKind.EqualsEqualsEqualsToken]: ["!=="],
  [SyntaxKind.ExclamationEqualsEqualsToken]: ["==="],
};

const boundaries = {
  [SyntaxKind.LessThanToken]: ["<="],
  [SyntaxKind.LessThanEqualsToken]: ["<"],
  [SyntaxKind.GreaterThanToken]: [">="],
  [SyntaxKind.GreaterThanEqualsToken]: [">"],
};

export const comparison: Operator = (node) => swapped(node, opposites);

export const boundary: Operator = (node) => (fillsExactly(node.parent) ? [] : swapped(node, boundaries));

/** `for (…; i < x.length; …) x[i] = …`: a typed array ignores what is written past its end, so one step more changes nothing. */
function fillsExactly(loop: ts.Node): boolean {
  if (!ts.isForStatement(loop) || !loop.condition || !ts.isBinaryExpression(loop.condition)) return false;
  const { left, right } = loop.condition;
  const array = /^(\w+)\.length$/.exec(right.getText())?.[1];
  if (array === undefined) return false;
  const body = ts.isBlock(loop.statement) ? loop.statement.statements : [loop.statement];
  return body.every((statement) => statement.getText().startsWith(`${array}[${left.getText()}]`));
}
