/** @file The source files of the project, parsed, for the tests about its structure. */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import ts from "typescript";

export const root = fileURLToPath(new URL("../../", import.meta.url));

export interface Source {
  /** Relative to the repository: `src/ir/graph.ts`. */
  readonly path: string;
  readonly text: string;
  readonly tree: ts.SourceFile;
}

/** Every hand-written TypeScript file below `folder`, without tests and generated code. */
export function sourcesIn(folder: string): Source[] {
  return parsed(folder, (name) => /\.ts$/.test(name) && !/\.test\.ts$|_pb\.ts$/.test(name));
}

/** Every test file below `folder`. */
export function testsIn(folder: string): Source[] {
  return parsed(folder, (name) => name.endsWith(".test.ts"));
}

function parsed(folder: string, isMeant: (name: string) => boolean): Source[] {
  const entries = readdirSync(root + folder, { recursive: true, encoding: "utf8" });
  return entries.filter(isMeant).map((name) => {
    const path = `${folder}/${name}`;
    const text = readFileSync(root + path, "utf8");
    return { path, text, tree: ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true) };
  });
}

export interface Import {
  readonly from: string;
  readonly specifier: string;
  readonly typeOnly: boolean;
  /** Loaded when it is needed: `import("…")`. */
  readonly lazy: boolean;
}

export function importsOf({ path, tree }: Source): Import[] {
  const found: Import[] = [];
  const visit = (node: ts.Node): void => {
    const specifier = specifierOf(node);
    if (specifier !== undefined) {
      found.push({ from: path, specifier, typeOnly: isTypeOnly(node), lazy: ts.isCallExpression(node) });
    }
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return found;
}

function specifierOf(node: ts.Node): string | undefined {
  if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier) {
    return (node.moduleSpecifier as ts.StringLiteral).text;
  }
  if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
    const [argument] = node.arguments;
    return argument && ts.isStringLiteral(argument) ? argument.text : undefined;
  }
  return undefined;
}

function isTypeOnly(node: ts.Node): boolean {
  if (ts.isExportDeclaration(node)) return node.isTypeOnly;
  if (!ts.isImportDeclaration(node) || !node.importClause) return false;
  const { importClause } = node;
  if (importClause.phaseModifier === ts.SyntaxKind.TypeKeyword) return true;
  const named = importClause.namedBindings;
  return (
    !importClause.name && !!named && ts.isNamedImports(named) && named.elements.every((element) => element.isTypeOnly)
  );
}

/** Lines from the first to the last character of a node, without its leading comment. */
export function lineCount(tree: ts.SourceFile, node: ts.Node): number {
  const first = tree.getLineAndCharacterOfPosition(node.getStart(tree)).line;
  const last = tree.getLineAndCharacterOfPosition(node.getEnd()).line;
  return last - first + 1;
}
