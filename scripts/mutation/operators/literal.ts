/** @file Numbers that are one more or twice as large, flags that are flipped, words and lists that are empty. */
import ts from "typescript";
import { methodCall, type Operator } from "./operator.ts";

/** Lists that are longer are tables. */
const LONGEST_LIST = 12;

/** Above this a number counts nothing, and one more would be no slip. */
const LARGEST_COUNT = 16;

export const number: Operator = (node) => {
  if (ts.isBigIntLiteral(node)) return [`${BigInt(node.text.replace(/n$/, "")) + 1n}n`];
  if (!ts.isNumericLiteral(node) || isInTable(node)) return [];
  const value = Number(node.text);
  return [String(value > LARGEST_COUNT ? 2 * value : value + 1)];
};

export const boolean: Operator = (node) => {
  if (node.kind === ts.SyntaxKind.TrueKeyword) return ["false"];
  if (node.kind === ts.SyntaxKind.FalseKeyword) return ["true"];
  return [];
};

/** Text with a blank in it is for people, and so is the name of a constant, which the builder makes unique. */
export const word: Operator = (node) => {
  if (!ts.isStringLiteral(node) || !/^\S+$/.test(node.text)) return [];
  const isConstantName = methodCall(node.parent)?.name === "constant";
  return isConstantName ? [] : ['""'];
};

export const list: Operator = (node) => {
  if (!ts.isArrayLiteralExpression(node) || node.elements.length === 0 || isTarget(node)) return [];
  return ["[]"];
};

function isInTable({ parent }: ts.Node): boolean {
  return ts.isArrayLiteralExpression(parent) && parent.elements.length > LONGEST_LIST;
}

/** `[a, b] = …` */
function isTarget(node: ts.Node): boolean {
  const { parent } = node;
  if (ts.isBinaryExpression(parent)) {
    return parent.left === node && parent.operatorToken.kind === ts.SyntaxKind.EqualsToken;
  }
  if (ts.isForOfStatement(parent)) return parent.initializer === node;
  return (ts.isArrayLiteralExpression(parent) || ts.isSpreadElement(parent)) && isTarget(parent);
}
