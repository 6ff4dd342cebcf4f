/** @file Every mutant of a source text. */
import ts from "typescript";
import { type Mutant, oneLine } from "./mutant.ts";
import { operators } from "./operators/index.ts";
import { isUntouched } from "./untouched.ts";

export function mutantsOf(file: string, text: string): Mutant[] {
  const tree = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const found: Omit<Mutant, "key">[] = [];
  const visit = (node: ts.Node): void => {
    if (isUntouched(node)) return;
    found.push(...mutantsAt(node, tree));
    ts.forEachChild(node, visit);
  };
  ts.forEachChild(tree, visit);
  return keyed(found);
}

function mutantsAt(node: ts.Node, tree: ts.SourceFile): Omit<Mutant, "key">[] {
  const start = node.getStart(tree);
  const { end } = node;
  const { line } = tree.getLineAndCharacterOfPosition(start);
  const place = { file: tree.fileName, line: line + 1, start, end, original: tree.text.slice(start, end) };
  return Object.entries(operators).flatMap(([operator, mutate]) =>
    mutate(node).map((mutated) => ({ ...place, operator, mutated, isStatement: ts.isStatement(node) })),
  );
}

function keyed(mutants: readonly Omit<Mutant, "key">[]): Mutant[] {
  const counts = new Map<string, number>();
  return mutants.map((mutant) => {
    const { file, operator, original, mutated } = mutant;
    const name = `${file} | ${operator} | ${oneLine(original)} → ${oneLine(mutated)}`;
    const count = (counts.get(name) ?? 0) + 1;
    counts.set(name, count);
    return { ...mutant, key: count === 1 ? name : `${name} | ${count}` };
  });
}
