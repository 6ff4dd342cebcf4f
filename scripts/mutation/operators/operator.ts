/** @file What an operator of mutation is: texts that may stand for a piece of source. */
import ts from "typescript";

/** Texts that may replace the node; none where the operator does not apply. An empty one takes a statement away. */
export type Operator = (node: ts.Node) => readonly string[];

/** `a OP b` for each operator that the table gives for the node's own. */
export function swapped(
  node: ts.Node,
  table: Readonly<Partial<Record<ts.SyntaxKind, readonly string[]>>>,
): readonly string[] {
  if (!ts.isBinaryExpression(node)) return [];
  const others = table[node.operatorToken.kind] ?? [];
  return others.map((operator) => `(${node.left.getText()}) ${operator} (${node.right.getText()})`);
}

/** `object.name(…)`: the name and the object; undefined for other nodes. */
export function methodCall(node: ts.Node): { readonly name: string; readonly object: ts.Expression } | undefined {
  if (!ts.isCallExpression(node) || !ts.isPropertyAccessExpression(node.expression)) return undefined;
  return { name: node.expression.name.text, object: node.expression.expression };
}
