/**
 * @file Which declarations of `src/` nothing uses: not reachable from a command, an example, an experiment or a benchmark.
 *
 *     npm run reach            # shares
 *     npm run reach -- --list  # and the names
 */
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import ts from "typescript";

const root = fileURLToPath(new URL("../", import.meta.url));
const { values } = parseArgs({ options: { list: { type: "boolean", default: false } } });

const config = ts.getParsedCommandLineOfConfigFile(
  `${root}tsconfig.json`,
  {},
  { ...ts.sys, onUnRecoverableConfigFileDiagnostic: () => {} },
);
if (!config) throw new Error("tsconfig.json cannot be read");
const program = ts.createProgram(config.fileNames, config.options);
const checker = program.getTypeChecker();

const placeOf = (file: ts.SourceFile): string => file.fileName.slice(root.length);
const isSource = (place: string): boolean => place.startsWith("src/") && !place.endsWith(".test.ts");
const isUser = (place: string): boolean =>
  /^(examples|experiments|bench)\/|^src\/cli\//.test(place) && !place.endsWith(".test.ts");

/** A declaration at the top of a file, by the statement that holds it. */
type Unit = ts.Statement;

const units: Unit[] = [];
const unitOf = new Map<ts.Node, Unit>();
const files = program.getSourceFiles().filter((file) => !file.isDeclarationFile && file.fileName.startsWith(root));
for (const file of files.filter((each) => isSource(placeOf(each)))) {
  for (const statement of file.statements) {
    if (ts.isImportDeclaration(statement) || ts.isExportDeclaration(statement)) continue;
    units.push(statement);
    for (const declared of declarationsOf(statement)) unitOf.set(declared, statement);
  }
}

function declarationsOf(statement: ts.Statement): readonly ts.Node[] {
  return ts.isVariableStatement(statement) ? statement.declarationList.declarations.flatMap(namedIn) : [statement];
}

/** The declaration, and what a pattern in its place declares. */
function namedIn(declaration: ts.VariableDeclaration | ts.BindingElement): readonly ts.Node[] {
  if (ts.isIdentifier(declaration.name)) return [declaration];
  return declaration.name.elements.flatMap((element) => (ts.isBindingElement(element) ? namedIn(element) : []));
}

function usedBy(node: ts.Node): Set<Unit> {
  const used = new Set<Unit>();
  const visit = (each: ts.Node): void => {
    if (ts.isIdentifier(each)) for (const unit of declaring(each)) used.add(unit);
    if (ts.isStringLiteralLike(each)) for (const unit of namedFile(each)) used.add(unit);
    ts.forEachChild(each, visit);
  };
  visit(node);
  return used;
}

function declaring(name: ts.ModuleExportName): readonly Unit[] {
  let symbol = checker.getSymbolAtLocation(name);
  if (symbol && ts.isShorthandPropertyAssignment(name.parent))
    symbol = checker.getShorthandAssignmentValueSymbol(name.parent);
  return symbol ? unitsOf(symbol) : [];
}

function unitsOf(symbol: ts.Symbol): readonly Unit[] {
  const { declarations } = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
  return (declarations ?? []).flatMap((declaration) => unitOf.get(declaration) ?? []);
}

/** All of a file that is loaded by its name: imported when it is needed, or run in a thread or a page of its own. */
function namedFile({ text, parent }: ts.StringLiteralLike): readonly Unit[] {
  if (!/\.[jt]s$/.test(text) || ts.isImportDeclaration(parent) || ts.isExportDeclaration(parent)) return [];
  const path = new URL(text.replace(/\.js$/, ".ts"), `file://${parent.getSourceFile().fileName}`).pathname;
  return program.getSourceFile(path)?.statements.flatMap((statement) => exportedBy(statement)) ?? [];
}

function exportedBy(statement: ts.Statement): readonly Unit[] {
  if (ts.isExportDeclaration(statement)) {
    const symbol = statement.moduleSpecifier && checker.getSymbolAtLocation(statement.moduleSpecifier);
    const names =
      statement.exportClause && ts.isNamedExports(statement.exportClause) ? statement.exportClause.elements : [];
    if (names.length > 0) return names.flatMap(({ name }) => declaring(name));
    return symbol ? checker.getExportsOfModule(symbol).flatMap((each) => unitsOf(each)) : [];
  }
  return ts.isImportDeclaration(statement) ? [] : [statement];
}

/** Statements that run when their file is loaded belong to whoever uses the file. */
const effectsOf = new Map<ts.SourceFile, Unit[]>();
for (const unit of units) {
  if (!ts.isExpressionStatement(unit)) continue;
  const file = unit.getSourceFile();
  effectsOf.set(file, [...(effectsOf.get(file) ?? []), unit]);
}

const reached = new Set<Unit>();
const queue: Unit[] = [];
function reach(unit: Unit): void {
  if (reached.has(unit)) return;
  reached.add(unit);
  queue.push(unit);
}
for (const file of files.filter((each) => isUser(placeOf(each)))) for (const unit of usedBy(file)) reach(unit);
for (let unit = queue.pop(); unit; unit = queue.pop()) {
  for (const used of usedBy(unit)) reach(used);
  for (const effect of effectsOf.get(unit.getSourceFile()) ?? []) reach(effect);
}

const counted = units.filter((unit) => !ts.isExpressionStatement(unit));
const unreached = counted.filter((unit) => !reached.has(unit));
if (values.list) for (const unit of unreached) console.log(`${placeOf(unit.getSourceFile())}: ${nameOf(unit)}`);
console.log(
  `${unreached.length} of ${counted.length} declarations (${((100 * unreached.length) / counted.length).toFixed(1)} %) are reached by no command, example, experiment or benchmark`,
);

function nameOf(unit: Unit): string {
  const [first] = unit.getText().split("\n");
  return (first ?? "").slice(0, 100);
}
