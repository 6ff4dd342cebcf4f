/** @file + and −, × and ÷, a power and a product, also where they assign. */
import ts from "typescript";
import { type Operator, swapped } from "./operator.ts";

const { SyntaxKind } = ts;

const others = {
  [SyntaxKind.PlusToken]: ["-"],
  [SyntaxKind.MinusToken]: ["+"],
  [SyntaxKind.AsteriskToken]: ["/"],
  [SyntaxKind.SlashToken]: ["*"],
  [SyntaxKind.PercentToken]: ["*"],
  [SyntaxKind.AsteriskAsteriskToken]: ["*"],
};

const otherAssignments: Readonly<Partial<Record<ts.SyntaxKind, string>>> = {
  [SyntaxKind.PlusEqualsToken]: "-=",
  [SyntaxKind.MinusEqualsToken]: "+=",
  [SyntaxKind.AsteriskEqualsToken]: "/=",
  [SyntaxKind.SlashEqualsToken]: "*=",
};

export const arithmetic: Operator = (node) => {
  if (!ts.isBinaryExpression(node) || isText(node)) return [];
  const assignment = otherAssignments[node.operatorToken.kind];
  if (assignment === undefined) return swapped(node, others);
  return [`${node.left.getText()} ${assignment} ${node.right.getText()}`];
};

/** Whether a part of a sum is text, so that the sum is. */
function isText(node: ts.Node): boolean {
  if (ts.isBinaryExpression(node)) return isText(node.left) || isText(node.right);
  return ts.isStringLiteralLike(node) || ts.isTemplateExpression(node);
}
