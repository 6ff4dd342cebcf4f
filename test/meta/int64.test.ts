/** @file 64-bit integers become numbers, and numbers become 64-bit integers, in one file only: `src/ir/int64.ts`. */
import { relative } from "node:path";
import ts from "typescript";
import { describe, expect, it } from "vitest";
import { root, sourcesIn } from "./sources.ts";

const home = "src/ir/int64.ts";
const conversions = new Map([
  ["Number", ts.TypeFlags.BigIntLike],
  ["parseInt", ts.TypeFlags.BigIntLike],
  ["parseFloat", ts.TypeFlags.BigIntLike],
  ["BigInt", ts.TypeFlags.NumberLike],
]);

/** Where `Number` meets a bigint or `BigInt` a number, called or passed on as a function; unknown types count. */
function conversionsIn(tree: ts.SourceFile, checker: ts.TypeChecker): number[] {
  const lines: number[] = [];
  const visit = (node: ts.Node): void => {
    const flag = ts.isIdentifier(node) && isValue(node) ? conversions.get(node.text) : undefined;
    if (flag !== undefined && converts(node as ts.Identifier, flag, checker)) lines.push(lineOf(tree, node));
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return lines;
}

function lineOf(tree: ts.SourceFile, node: ts.Node): number {
  return tree.getLineAndCharacterOfPosition(node.getStart()).line + 1;
}

/** Not a name in a type, of a property or before a dot. */
function isValue({ parent }: ts.Identifier): boolean {
  return !ts.isTypeNode(parent) && !ts.isPropertyAccessExpression(parent) && !ts.isPropertyAssignment(parent);
}

function converts(name: ts.Identifier, flag: ts.TypeFlags, checker: ts.TypeChecker): boolean {
  const { parent } = name;
  if (!ts.isCallExpression(parent)) return true;
  if (parent.expression === name) return parent.arguments.some((x) => includes(checker.getTypeAtLocation(x), flag));
  const parameter = checker.getContextualType(name)?.getCallSignatures()[0]?.parameters[0];
  return !parameter || includes(checker.getTypeOfSymbolAtLocation(parameter, name), flag);
}

function includes(type: ts.Type, flag: ts.TypeFlags): boolean {
  if (type.isUnion()) return type.types.some((member) => includes(member, flag));
  return (type.flags & (flag | ts.TypeFlags.Any | ts.TypeFlags.Unknown | ts.TypeFlags.TypeParameter)) !== 0;
}

const options: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2022,
  lib: ["lib.es2023.d.ts"],
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  allowImportingTsExtensions: true,
  noEmit: true,
  strict: true,
  types: [],
};

function found(files: readonly string[], host?: ts.CompilerHost): string[] {
  const program = ts.createProgram(files, options, host);
  return files.flatMap((file) => {
    const tree = program.getSourceFile(file);
    if (!tree) throw new Error(`${file} is not part of the program`);
    return conversionsIn(tree, program.getTypeChecker()).map((line) => `${relative(root, file)}:${line}`);
  });
}

/** A program of one file that holds `text`. */
function foundIn(text: string): string[] {
  const host = ts.createCompilerHost(options);
  const file = `${root}test/meta/probe.ts`;
  const read = host.getSourceFile.bind(host);
  host.getSourceFile = (name, target) =>
    name === file ? ts.createSourceFile(name, text, target, true) : read(name, target);
  return found([file], host);
}

describe("64-bit integers", () => {
  it("become numbers, and back, in one file only", () => {
    const suspects = sourcesIn("src").filter(({ path, text }) => path !== home && /\b(BigInt|Number)\b/.test(text));
    expect(found(suspects.map(({ path }) => root + path))).toEqual([]);
  });

  it("would be seen in another", () => {
    const text = [
      "declare const integer: bigint, list: readonly bigint[], number: number, text: string;",
      "console.log(Number(integer));",
      "console.log(list.map(Number));",
      "console.log(BigInt(number));",
      "console.log(Float64Array.from([...list], Number));",
      'console.log(Number(text), BigInt("1"), Number.MAX_VALUE);',
    ];
    expect(foundIn(text.join("\n"))).toEqual([2, 3, 4, 5].map((line) => `test/meta/probe.ts:${line}`));
  });
});
