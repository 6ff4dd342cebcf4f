/** @file A small repository with mutants of each fate, from the copy to the score. */
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { linesOf } from "../../scripts/mutation/baseline.ts";
import { filesOf } from "../../scripts/mutation/copy.ts";
import type { Verdict } from "../../scripts/mutation/judge.ts";
import { judgeAll, mutantsIn } from "../../scripts/mutation/run.ts";
import { scoreOf } from "../../scripts/mutation/score.ts";

const project = fileURLToPath(new URL("../../", import.meta.url));
const root = mkdtempSync(join(tmpdir(), "lithe-mutation-test-"));
const partial = join(root, "verdicts.partial");

const files: Readonly<Record<string, string>> = {
  "package.json": '{ "type": "module" }',
  ".gitignore": "node_modules\ndist\n*.partial\n",
  "tsconfig.build.json": JSON.stringify({
    compilerOptions: { target: "es2022", module: "nodenext", rootDir: "src", outDir: "dist", types: [] },
    include: ["src/part"],
    exclude: ["src/**/*.test.ts"],
  }),
  "vitest.config.ts": 'export default { test: { include: ["**/*.test.ts"], exclude: ["node_modules"] } };',
  "src/part/calc.ts": `
    export function seen(a: number, b: number): number { return a + b; }
    export function doubted(a: number): string { return a > 1 ? "some" : "few"; }
    export function alone(a: number, b: number): number { return a - b; }
    export function elsewhere(a: number, b: number): number { return a * b; }
  `,
  "src/part/calc.test.ts": `
    import { expect, it } from "vitest";
    import { doubted, seen } from "./calc.ts";
    it("adds", () => expect(seen(2, 1)).toBe(3));
    it("doubts", () => expect(doubted(1)).toBe("few"));
    it("reads its own text", () => expect(seen.toString()).not.toContain("__mutant"));
  `,
  // A child process from the build, which hears of the mutant by its environment.
  "test/far.test.ts": `
    import { execFileSync } from "node:child_process";
    import { expect, it } from "vitest";
    it("multiplies", () => {
      const call = 'import("./dist/part/calc.js").then(({ elsewhere }) => console.log(elsewhere(4, 2)))';
      expect(execFileSync(process.execPath, ["-e", call], { encoding: "utf8" })).toBe("8\\n");
    });
  `,
};

function settings(nearOnly: boolean) {
  return { root, lanes: 1, capMs: 60_000, nearOnly, log: () => undefined, partial: () => partial };
}

beforeAll(() => {
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), text);
  }
  cpSync(join(project, "scripts/mutation"), join(root, "scripts/mutation"), { recursive: true });
  cpSync(join(project, "scripts/typescript.mjs"), join(root, "scripts/typescript.mjs"));
  symlinkSync(join(project, "node_modules"), join(root, "node_modules"));
  spawnSync("git", ["init", "-q"], { cwd: root });
});

afterAll(() => rmSync(root, { recursive: true }));

/** Read when the files are there. */
function mutants() {
  expect(filesOf(root)).toContain("src/part/calc.ts");
  return mutantsIn(root, "src/part");
}

describe("a run", () => {
  it("finds what notices each mutant, near tests first", async () => {
    const excluded = await judgeAll(mutants(), settings(false));
    expect(excluded).toEqual(["src/part/calc.test.ts: reads its own text"]);
    const verdicts = Object.fromEntries(
      linesOf<Verdict>(partial).map(({ key, wave, ...rest }) => [`${wave} ${key}`, rest]),
    );
    const calc = "src/part/calc.ts";
    expect(verdicts).toMatchObject({
      [`near ${calc} | arithmetic | a + b → (a) - (b)`]: { status: "killed", by: `src/part/calc.test.ts: adds` },
      [`near ${calc} | boundary | a > 1 → (a) >= (1)`]: { status: "killed" },
      [`near ${calc} | word | "some" → ""`]: { status: "uncovered" },
      [`near ${calc} | arithmetic | a * b → (a) / (b)`]: { status: "uncovered" },
      [`far ${calc} | arithmetic | a * b → (a) / (b)`]: { status: "killed", by: "test/far.test.ts: multiplies" },
      [`far ${calc} | arithmetic | a - b → (a) + (b)`]: { status: "uncovered" },
      [`near ${calc} | number | 1 → 2`]: { status: "survived" },
    });
    const score = scoreOf("src/part", mutants().length, mutants(), linesOf<Verdict>(partial), {
      [`${calc} | number | 1 → 2`]: "few is few",
    });
    expect(score).toMatchObject({
      judged: mutants().length,
      counts: { timeout: 0, capped: 0, survived: 2, uncovered: 2 },
    });
    expect(score.survivors.find(({ operator }) => operator === "number")?.reason).toBe("few is few");
    expect(score.score).toBeCloseTo(1 - 4 / mutants().length);
  });

  it("asks nothing again", async () => {
    const before = readFileSync(partial, "utf8");
    await judgeAll(mutants(), settings(false));
    expect(readFileSync(partial, "utf8")).toBe(before);
  });
});
