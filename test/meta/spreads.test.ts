/** @file No list of unknown length becomes arguments: the stack holds about 125,000 of them, and weights, samples and nodes are more. */
import ts from "typescript";
import { describe, expect, it } from "vitest";
import { type Source, sourcesIn } from "./sources.ts";

/** What is short by its meaning, as `file callee`; an asterisk stands for any file. */
const short = new Map([
  ["* draft.replaceNode", "the nodes that one node becomes"],
  ["src/autodiff/shapes.ts shapeFrom", "operands of one operator"],
  ["src/cli/command-line.ts invocation", "words of a command"],
  ["src/conditional/width/slimmable.ts n.parameter", "the parameters of a function"],
  ["src/data/glyphs/shapes.ts closed", "corners of a drawing in the source"],
  ["src/data/glyphs/shapes.ts line", "corners of a drawing in the source"],
  ["src/data/recipe.ts made", "the parameters of a function"],
  ["src/ops/recurrent.ts macCost", "four dims"],
  ["src/ops/required.ts rule", "the parameters of a function"],
  ["src/passes/explicit-windows.ts replaceBy", "the outputs of one node"],
  ["src/runtime/group/channel.ts line.post", "a pair"],
]);

/** Calls whose arguments are taken from a list that is not written out, unless it is known to be short. */
function spreadsIn({ path, tree }: Source): string[] {
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    const callee = takesList(node);
    if (callee !== undefined && !short.has(`* ${callee}`) && !short.has(`${path} ${callee}`)) {
      found.push(`${path}:${tree.getLineAndCharacterOfPosition(node.getStart()).line + 1} ${callee}`);
    }
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return found;
}

function takesList(node: ts.Node): string | undefined {
  if (!ts.isCallExpression(node) && !ts.isNewExpression(node)) return undefined;
  const callee = node.expression.getText();
  const [first] = node.arguments ?? [];
  const isApplied = /\.apply$/.test(callee) && /^(null|undefined|this|Math|String)$/.test(first?.getText() ?? "");
  return isApplied || node.arguments?.some(isOpenSpread) ? callee : undefined;
}

function isOpenSpread(item: ts.Expression): boolean {
  return ts.isSpreadElement(item) && !ts.isArrayLiteralExpression(item.expression);
}

describe("arguments", () => {
  const sources = sourcesIn("src");

  it("are written out: maxOf, minOf and loops take lists", () => {
    expect(sources.flatMap(spreadsIn)).toEqual([]);
  });

  it("are found where they are not", () => {
    const text =
      "Math.max(...xs); list.push(1, ...xs); new Map(...xs); f.apply(null, xs); g(...[1, 2]); draft.replaceNode(n, ...xs)";
    const tree = ts.createSourceFile("a.ts", text, ts.ScriptTarget.Latest, true);
    expect(spreadsIn({ path: "a.ts", text, tree }).map((found) => found.replace("a.ts:1 ", ""))).toEqual([
      "Math.max",
      "list.push",
      "Map",
      "f.apply",
    ]);
  });

  it("of the exceptions exist", () => {
    const all = sources.flatMap(({ text }) => text).join("\n");
    expect([...short.keys()].filter((name) => !all.includes(`${name.split(" ")[1]}(`))).toEqual([]);
  });
});
