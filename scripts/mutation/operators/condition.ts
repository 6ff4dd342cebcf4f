/** @file Conditions that always or never hold. Loops never run; one that always ran would only ever be seen by the clock. */
import ts from "typescript";
import { isGuard } from "./guard.ts";
import type { Operator } from "./operator.ts";

export const condition: Operator = (node) => {
  if (node.kind === ts.SyntaxKind.TrueKeyword || node.kind === ts.SyntaxKind.FalseKeyword) return [];
  const { parent } = node;
  // A guard that never holds is one that is not there.
  if (ts.isIfStatement(parent) && parent.expression === node) return isGuard(parent) ? ["true"] : ["true", "false"];
  if (ts.isConditionalExpression(parent) && parent.condition === node) return ["true", "false"];
  if (ts.isWhileStatement(parent) && parent.expression === node) return ["false"];
  if (ts.isForStatement(parent) && parent.condition === node) return ["false"];
  return [];
};
