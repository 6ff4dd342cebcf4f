/**
 * @file No list of unknown length becomes arguments: the stack holds about 125,000 of them, and weights, samples and nodes are more. No typed
 * array is made by `from` with a function, which asks an iterator for every element and takes 10 to 30 times as long as a loop.
 */
import ts from "typescript";
import { describe, expect, it } from "vitest";
import { type Source, sourcesIn } from "./sources.ts";

/** What is short by its meaning, as `file callee`; an asterisk stands for any file. */
const short = new Map([
  ["* draft.replaceNode", "the nodes that one node becomes"],
  ["src/autodiff/emit.ts g.op", "attributes and options of an operator"],
  ["src/autodiff/gradient-builder.ts emit.op", "attributes and options of an operator"],
  ["src/autodiff/shapes.ts shapeFrom", "operands of one operator"],
  ["src/job/settings/command-line.ts invocation", "words of a command"],
  ["src/conditional/dynamic/width/slimmable.ts n.parameter", "the parameters of a function"],
  ["src/data/glyphs/shapes.ts closed", "corners of a drawing in the source"],
  ["src/data/glyphs/shapes.ts line", "corners of a drawing in the source"],
  ["src/data/recipe.ts made", "the parameters of a function"],
  ["src/ops/recurrent.ts macCost", "four dims"],
  ["src/ops/required.ts rule", "the parameters of a function"],
  ["src/passes/explicit-windows.ts replaceBy", "the outputs of one node"],
  ["src/runtime/group/channel.ts line.post", "a pair"],
]);

/** Calls whose arguments are taken from a list that is not written out, unless it is known to be short. */
function spreadsIn(source: Source): string[] {
  return callsIn(source, (node) => {
    const callee = takesList(node);
    return callee === undefined || short.has(`* ${callee}`) || short.has(`${source.path} ${callee}`)
      ? undefined
      : callee;
  });
}

/** Every place where `named` gives a name, with it. */
function callsIn({ path, tree }: Source, named: (node: ts.Node) => string | undefined): string[] {
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    const name = named(node);
    if (name !== undefined) {
      found.push(`${path}:${tree.getLineAndCharacterOfPosition(node.getStart()).line + 1} ${name}`);
    }
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return found;
}

/** A typed array that is made element by element through an iterator. */
function iterates(node: ts.Node): string | undefined {
  if (!ts.isCallExpression(node) || node.arguments.length < 2) return undefined;
  const callee = node.expression.getText();
  const isTyped = /^(Big)?(Int|Uint|Float)\d+(Clamped)?Array\.from$/.test(callee);
  return isTyped ? callee : undefined;
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

describe("typed arrays", () => {
  it("are made of numbers by `new T(length).map(…)` or a loop", () => {
    expect(sourcesIn("src").flatMap((source) => callsIn(source, iterates))).toEqual([]);
  });

  it("are found where they are not", () => {
    const text = `
      Float32Array.from(weights, (w) => 2 * w); BigUint64Array.from({ length: n }, (_, i) => big(i));
      Uint8ClampedArray.from(pixels, Math.round); Float64Array.from(list); Array.from(names, upper);
    `;
    const tree = ts.createSourceFile("a.ts", text, ts.ScriptTarget.Latest, true);
    expect(callsIn({ path: "a.ts", text, tree }, iterates)).toEqual([
      "a.ts:2 Float32Array.from",
      "a.ts:2 BigUint64Array.from",
      "a.ts:3 Uint8ClampedArray.from",
    ]);
  });
});
