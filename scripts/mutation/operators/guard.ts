/** @file What an early return is: an `if` without `else` that ends in leaving, and is not an `else if`. */
import ts from "typescript";

export function isGuard(node: ts.Node): node is ts.IfStatement {
  return ts.isIfStatement(node) && !ts.isIfStatement(node.parent) && !node.elseStatement && leaves(node.thenStatement);
}

function leaves(node: ts.Statement): boolean {
  if (ts.isBlock(node)) return node.statements.length > 0 && leaves(node.statements.at(-1)!);
  return (
    ts.isReturnStatement(node) || ts.isThrowStatement(node) || ts.isContinueStatement(node) || ts.isBreakStatement(node)
  );
}
