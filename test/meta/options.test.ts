/** @file Every public function that takes options refuses names that it does not know. */
import { readFileSync } from "node:fs";
import ts from "typescript";
import { expect, it } from "vitest";
import { root, type Source, sourcesIn } from "./sources.ts";

/** What `checkOptions` is called by elsewhere, and the other checks of names. */
const checks = new Set(["checkOptions", "resolveOptions"]);

/** Functions that take a description beside their options, or options that a part of it reads, and why. */
const exceptions: ReadonlyMap<string, string> = new Map([
  ...["withScores", "exitCosts", "exitSegments", "exportEarlyExit", "openEarlyExit", "recordExits", "exportSlices"].map(
    (name): [string, string] => [name, "takes what addExits gives, which has more fields"],
  ),
  ["smallFirst", "its options are two kinds, told apart by name"],
  ["quantize", "hands on to the quantizer of the form"],
  ["cleanupChecked", "hands on to runChecked"],
  ["predictedOutput", "reads what it needs of what fit and evaluateModel are given"],
  ["entropy", "an observer reads what it needs of what all are given"],
  ["movingAverage", "an observer reads what it needs of what all are given"],
  ["percentile", "an observer reads what it needs of what all are given"],
]);

interface Taker {
  readonly name: string;
  readonly path: string;
  /** Names of the functions that are given the options. */
  readonly callees: ReadonlySet<string>;
}

function takersIn({ path, tree }: Source, names: ReadonlySet<string>): Taker[] {
  return tree.statements.flatMap((node) => {
    if (!ts.isFunctionDeclaration(node) || !node.name || !node.body || !names.has(node.name.text)) return [];
    if (!node.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword)) return [];
    const parameter = node.parameters.find(({ type }) => type && /Options\b/.test(type.getText(tree)));
    if (!parameter) return [];
    return [{ name: node.name.text, path, callees: calleesOf(node.body, parameter.name.getText(tree)) }];
  });
}

/** Functions that are called with `variable` itself as an argument. */
function calleesOf(body: ts.Node, variable: string): Set<string> {
  const found = new Set<string>();
  const visit = (node: ts.Node): void => {
    const isCall = ts.isCallExpression(node) && ts.isIdentifier(node.expression);
    const passed = isCall && node.arguments.some((argument) => ts.isIdentifier(argument) && argument.text === variable);
    if (passed) found.add((node.expression as ts.Identifier).text);
    ts.forEachChild(node, visit);
  };
  visit(body);
  return found;
}

it("checks the names of options in every public function, or hands them to one that does", () => {
  const lines = readFileSync(`${root}test/meta/public-api.txt`, "utf8").split("\n");
  const names = new Set(lines.map((line) => line.split(" ")[1] ?? ""));
  const takers = sourcesIn("src").flatMap((source) => takersIn(source, names));
  expect(takers.length).toBeGreaterThan(150);
  const fine = new Set(checks);
  for (let before = -1; before !== fine.size; ) {
    before = fine.size;
    for (const { name, callees } of takers) if ([...callees].some((callee) => fine.has(callee))) fine.add(name);
  }
  const left = takers.filter(({ name }) => !fine.has(name) && !exceptions.has(name));
  expect(left.map(({ name, path }) => `${path}: ${name}`)).toEqual([]);
});
