/** @file What no mutant changes: types, imports, text for people, and values that nobody reads. */
import ts from "typescript";

/** Properties and calls whose text is read by people only. */
const proseProperties =
  /^(description|descriptions|help|hint|summary|title|label|caption|note|reason|message|paper|usage|expected|got)$/;
const proseCalls =
  /(^|\.)(description|option|argument|addHelpText|summary|helpOption|log|warn|debug)$|^console\.|\bstd(out|err)\.write$/;

/** Whether neither the node nor anything in it is mutated. */
export function isUntouched(node: ts.Node): boolean {
  if (ts.isTypeNode(node) || ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node)) return true;
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) return true;
  if (ts.isNewExpression(node)) return /Error$/.test(node.expression.getText());
  if (ts.isCallExpression(node)) return isImport(node) || proseCalls.test(node.expression.getText());
  if (ts.isPropertyAssignment(node)) return proseProperties.test(node.name.getText());
  return isName(node) || isDirective(node) || isListOfNames(node);
}

function isImport({ expression }: ts.CallExpression): boolean {
  return expression.kind === ts.SyntaxKind.ImportKeyword;
}

type Named = ts.Node & { readonly name?: ts.Node };

/** The name of a property, not its value. */
function isName(node: ts.Node): boolean {
  return (ts.isStringLiteral(node) || ts.isNumericLiteral(node)) && (node.parent as Named).name === node;
}

/** Names of options, beside each of which stands a `true` that says nothing. */
function isListOfNames(node: ts.Node): boolean {
  return ts.isVariableDeclaration(node) && /^OptionNames\b/.test(node.type?.getText() ?? "");
}

function isDirective(node: ts.Node): boolean {
  return ts.isExpressionStatement(node) && ts.isStringLiteral(node.expression);
}
