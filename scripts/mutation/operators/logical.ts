/** @file And for or, or for and, and what stands in for nothing even where there is something. */
import ts from "typescript";
import { type Operator, swapped } from "./operator.ts";

const { SyntaxKind } = ts;

const others = {
  [SyntaxKind.AmpersandAmpersandToken]: ["||"],
  [SyntaxKind.BarBarToken]: ["&&"],
};

export const logical: Operator = (node) => {
  if (!ts.isBinaryExpression(node) || node.operatorToken.kind !== SyntaxKind.QuestionQuestionToken) {
    return swapped(node, others);
  }
  return [node.right.getText()];
};
