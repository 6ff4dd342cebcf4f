/**
 * @file Tests wait for events, not for clocks: on a busy machine everything takes longer, on another one less. What looks at a clock all
 * the same is listed with why its speed decides nothing, and a test that hangs is ended by the one limit of the configuration.
 */
import { readFileSync } from "node:fs";
import ts from "typescript";
import { describe, expect, it } from "vitest";
import { root, type Source, sourcesIn, testsIn } from "./sources.ts";

/** Calls that wait for a time, read one, or weigh what the garbage collector left. */
const clocks =
  /^(setTimeout|setInterval|(.*\.)?(performance|Date)\.now|AbortSignal\.timeout|.*\bhrtime(\.bigint)?|.*\.rss)$/;

/** By file: why the speed of the machine decides nothing. */
const allowed: Readonly<Record<string, string>> = {
  "src/data/load/loader.test.ts": "looks again until a worker has counted so far",
  "src/runtime/run.test.ts": "lets events happen in work that only its abort ends",
  "test/laws/runtime-rules.test.ts": "counts ticks during a run that the ticks end",
  "test/trained-until-killed.ts": "keeps a process alive until it is killed",
  "test/killed.ts": "an experiment kills at moments drawn by chance",
  "test/fuzz/fuzz.ts": "reports how long cases took; what the test expects leaves it out",
  "test/fuzz/fuzz-fields.ts": "reports how long stages took; what the test expects leaves it out",
  "test/fuzz/fuzz-processes.ts": "ends cases that hang, in a script that is no test",
  "test/compat/runtime.ts": "looks at a process that hangs, in a script that is no test",
};

function callsIn({ path, tree }: Source, isMeant: (call: ts.CallExpression) => boolean): string[] {
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) && isMeant(node)) {
      const { line } = tree.getLineAndCharacterOfPosition(node.getStart(tree));
      found.push(`${path}:${line + 1} ${node.expression.getText(tree)}`);
    }
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return found;
}

function looksAtClock({ expression }: ts.CallExpression): boolean {
  return clocks.test(expression.getText());
}

/** `it`, `describe` and hooks with a limit of their own, as a last number or an option. */
function limitsTime({ expression, arguments: given }: ts.CallExpression): boolean {
  if (!/^(it|test|describe|before(All|Each)|after(All|Each))\b/.test(expression.getText())) return false;
  const last = given.at(-1);
  const isLimit = (property: ts.Node) => ts.isPropertyAssignment(property) && property.name.getText() === "timeout";
  return (
    (given.length > 1 && last !== undefined && ts.isNumericLiteral(last)) ||
    given.some((argument) => ts.isObjectLiteralExpression(argument) && argument.properties.some(isLimit))
  );
}

const sources = [...sourcesIn("test"), ...["src", "test"].flatMap(testsIn)];

describe("tests", () => {
  it("look at no clock but where it decides nothing", () => {
    const found = sources.flatMap((source) => callsIn(source, looksAtClock));
    expect(found.filter((place) => !(place.replace(/:.*/, "") in allowed))).toEqual([]);
    expect(Object.keys(allowed).filter((path) => !found.some((place) => place.startsWith(`${path}:`)))).toEqual([]);
  });

  it("have no time limits of their own", () => {
    expect(sources.flatMap((source) => callsIn(source, limitsTime))).toEqual([]);
    expect(readFileSync(`${root}vitest.config.ts`, "utf8")).toContain("testTimeout: 900_000");
  });

  it("that do so are found", () => {
    const text = `
      setTimeout(() => controller.abort(), 20);
      const taken = performance.now() - process.memoryUsage.rss();
      it("a", async () => undefined, 60_000);
      it.each([1])("b", { timeout: 5 }, () => undefined);
      it("c", () => fetched({ timeout: 0 }));
      beforeAll(() => undefined, 1000);`;
    const tree = ts.createSourceFile("a.ts", text, ts.ScriptTarget.Latest, true);
    const source = { path: "a.ts", text, tree };
    expect(callsIn(source, looksAtClock)).toEqual([
      "a.ts:2 setTimeout",
      "a.ts:3 performance.now",
      "a.ts:3 process.memoryUsage.rss",
    ]);
    expect(callsIn(source, limitsTime)).toEqual(["a.ts:4 it", "a.ts:5 it.each([1])", "a.ts:7 beforeAll"]);
  });
});
