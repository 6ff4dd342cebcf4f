/** @file A sign or a "not" that is not there. */
import ts from "typescript";
import type { Operator } from "./operator.ts";

export const negation: Operator = (node) => {
  if (!ts.isPrefixUnaryExpression(node)) return [];
  const { operator, operand } = node;
  const applies = operator === ts.SyntaxKind.MinusToken || operator === ts.SyntaxKind.ExclamationToken;
  return applies ? [operand.getText()] : [];
};
