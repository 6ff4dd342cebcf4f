/** @file What is mutated, and what is not. */
import { describe, expect, it } from "vitest";
import { mutantsOf } from "../../scripts/mutation/enumerate.ts";

/** `operator: mutated` for each mutant, without those of literals unless they are asked for. */
function found(text: string, literals = false): string[] {
  return mutantsOf("a.ts", text)
    .filter(({ operator }) => literals || !/^(number|boolean|word|list)$/.test(operator))
    .map(({ operator, mutated }) => `${operator}: ${mutated}`);
}

const cases: readonly (readonly [string, string, readonly string[]])[] = [
  ["sums", "x = a + b;", ["arithmetic: (a) - (b)"]],
  ["sums of text", 'x = a + "b" + c;', []],
  ["products", "x = a * b / c;", ["arithmetic: (a * b) * (c)", "arithmetic: (a) / (b)"]],
  ["assignments", "x -= a;", ["arithmetic: x += a"]],
  ["comparisons", "x = a < b;", ["comparison: (a) >= (b)", "boundary: (a) <= (b)"]],
  ["equality", "x = a === b;", ["comparison: (a) !== (b)"]],
  ["conjunctions", "x = a && b;", ["logical: (a) || (b)"]],
  ["what stands in for nothing", "x = a ?? b;", ["logical: b"]],
  ["choices", "x = c ? a : b;", ["condition: true", "condition: false"]],
  ["signs", "x = -a;", ["negation: a"]],
  ["refusals", "x = !a;", ["negation: a"]],
  ["extremes", "x = Math.max(a, b);", ["extreme: Math.min(a, b)"]],
  ["one number", "x = Math.max(a);", []],
  ["choices of a list", "x = a.filter(f).toReversed();", ["ordering: a.filter(f)", "ordering: a"]],
  ["copies", "x = [a.slice(), a.slice(0)];", []],
  ["optional chains", "x = a?.filter(f).length;", []],
];

describe("operators", () => {
  for (const [name, text, expected] of cases) {
    it(`change ${name}`, () => expect(found(text).filter((line) => !line.startsWith("removal"))).toEqual(expected));
  }

  it("take calls, assignments and guards away", () => {
    const text = "function f() { if (a) return; if (b) { g(); } else h(); await k(); x = a; i++; let z = a; }";
    const gone = mutantsOf("a.ts", text).filter(({ mutated }) => mutated === "");
    expect(gone.map(({ original }) => original)).toEqual([
      "if (a) return;",
      "g();",
      "h();",
      "await k();",
      "x = a;",
      "i++;",
    ]);
  });

  it("fix a guard's condition one way only, since the other is to take it away", () => {
    expect(found("function f() { if (a) return; }")).toEqual(["removal: ", "condition: true"]);
    expect(found("function f() { if (a) x; else if (b) return; }")).toEqual([
      "condition: true",
      "condition: false",
      "condition: true",
      "condition: false",
    ]);
  });

  it("never run loops, and do not run them for ever", () => {
    expect(found("while (a) b; for (; c; ) d;")).toEqual(["condition: false", "condition: false"]);
  });

  it("leave loops that fill an array exactly", () => {
    expect(found("for (; i < x.length; ) x[i] = a;")).not.toContain("boundary: (i) <= (x.length)");
    expect(found("for (; i < x.length; ) y[i] = a;")).toContain("boundary: (i) <= (x.length)");
  });

  it("change numbers, flags, words and lists", () => {
    const text = 'f(0, 1.5, 7n, true, false, "word", [a]); const { levels = 2048 } = o;';
    const changes = found(text, true).filter((line) => !line.startsWith("removal"));
    expect(changes).toEqual([
      "number: 1",
      "number: 2.5",
      "number: 8n",
      "boolean: false",
      "boolean: true",
      'word: ""',
      "list: []",
      "number: 4096",
    ]);
  });
});

describe("what is left alone", () => {
  const texts = [
    'import a from "b"; export * from "c";',
    "type A = 0 | 1; interface B { c: true } let d: -1;",
    'throw new UsageError("a" + b, { got: 1 });',
    'const a = { hint: "b", help: c ? "d" : "e" };',
    'command.option("--a", "b", 1);',
    'console.log(1, "a");',
    'n.constant("zero", a);',
    'x = "text for people"; y = "";',
    'const a = { 1: b, "c": d };',
    "const table = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13].length;",
    "[a, b] = c;",
    "const names: OptionNames<A> = { ...others, a: true, b: true };",
  ];
  for (const text of texts) {
    it(text, () => {
      const rest = found(text, true).filter((line) => !/^(removal|list)/.test(line) || text.startsWith("["));
      expect(rest.filter((line) => line !== "removal: ")).toEqual([]);
    });
  }
});

describe("keys", () => {
  it("tell equal changes apart, and outlive a change elsewhere", () => {
    const before = mutantsOf("a.ts", "x = a + b; y = a + b;").map(({ key }) => key);
    const after = mutantsOf("a.ts", "f();\n\nx = a + b; y = a + b;").map(({ key }) => key);
    expect(new Set(before).size).toBe(before.length);
    expect(after).toEqual(expect.arrayContaining(before));
  });
});
