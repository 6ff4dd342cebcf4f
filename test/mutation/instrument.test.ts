/** @file All mutants stand in one text: with none active it does what the original does, with one what that mutant does. */
import ts from "typescript";
import { afterEach, expect, it } from "vitest";
import { mutantsOf } from "../../scripts/mutation/enumerate.ts";
import { instrumented } from "../../scripts/mutation/instrument.ts";
import type { Mutant } from "../../scripts/mutation/mutant.ts";

const text = `
export function run(xs: readonly number[], { scale = 2, name }: { scale?: number; name?: string } = {}): unknown {
  const notes: string[] = [];
  if (xs.length === 0) return "none";
  for (const x of xs) if (x > 1 && x < 9) notes.push(\`\${x * scale + 1}\`);
    else if (x < 0) { notes.push("low"); }
  const last = xs.filter((x) => x !== 3).at(-1)! as number;
  const label = name ?? "unnamed";
  return { notes, last: -last, label, most: Math.max(last, 4), flag: !notes.includes("low"), list: [...notes, label] };
}`;
const inputs: readonly (readonly unknown[])[] = [[[]], [[1, 2, 3, 9]], [[-1, 8], { scale: 3, name: "b" }]];

declare global {
  var __mutant: ((id: number) => boolean) | undefined;
}

afterEach(() => {
  globalThis.__mutant = undefined;
});

/** What the module of this text answers, or that it fails. */
function answers(source: string): string {
  const { outputText } = ts.transpileModule(source, { compilerOptions: { module: ts.ModuleKind.CommonJS } });
  const module: { run?: (...input: readonly unknown[]) => unknown } = {};
  new Function("exports", outputText)(module);
  return inputs
    .map((input) => {
      try {
        return JSON.stringify(module.run!(...input));
      } catch {
        return "fails";
      }
    })
    .join("\n");
}

function replaced({ start, end, mutated }: Mutant): string {
  return `${text.slice(0, start)}(${mutated})${text.slice(end)}`.replace("()", "{}");
}

const mutants = mutantsOf("a.ts", text);
const all = instrumented(
  text,
  mutants.map((mutant, id) => ({ id, mutant })),
);

it("does what the original does while no mutant is active", () => {
  globalThis.__mutant = () => false;
  expect(mutants.length).toBeGreaterThan(30);
  expect(answers(all)).toBe(answers(text));
});

it("does what a mutant does when it is active", () => {
  const original = answers(text);
  let changed = 0;
  for (const [id, mutant] of mutants.entries()) {
    globalThis.__mutant = (other) => other === id;
    const got = answers(all);
    const source =
      mutant.mutated === "" ? `${text.slice(0, mutant.start)}{}${text.slice(mutant.end)}` : replaced(mutant);
    expect(got, mutant.key).toBe(answers(source));
    if (got !== original) changed++;
  }
  expect(changed).toBeGreaterThan(0.8 * mutants.length);
});

it("keeps the first line of a program, and harms nothing where there is no process", () => {
  const program = instrumented("#!/usr/bin/env node\nconst a = 1;\n", []);
  expect(program.split("\n").length).toBe(3);
  expect(program).toMatch(/^#!\/usr\/bin\/env node\nconst __mutant/);
  const header = program.split("\n")[1]!.replace("const a = 1;", "return __mutant(1);");
  expect(new Function("globalThis", header)({})).toBe(false);
});
