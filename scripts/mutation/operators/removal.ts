/** @file Statements that are not there: calls, assignments and early returns. */
import ts from "typescript";
import { isGuard } from "./guard.ts";
import type { Operator } from "./operator.ts";

export const removal: Operator = (node) => {
  if (isGuard(node)) return [""];
  return ts.isExpressionStatement(node) && acts(node.expression) ? [""] : [];
};

function acts(node: ts.Expression): boolean {
  if (ts.isAwaitExpression(node) || ts.isParenthesizedExpression(node)) return acts(node.expression);
  if (ts.isCallExpression(node)) return node.expression.kind !== ts.SyntaxKind.SuperKeyword;
  return (
    ts.isPostfixUnaryExpression(node) ||
    ts.isPrefixUnaryExpression(node) ||
    ts.isDeleteExpression(node) ||
    (ts.isBinaryExpression(node) && isAssignment(node.operatorToken.kind))
  );
}

function isAssignment(kind: ts.SyntaxKind): boolean {
  return kind >= ts.SyntaxKind.FirstAssignment && kind <= ts.SyntaxKind.LastAssignment;
}
