/** @file What the tests of the copy do while no mutant is active: which pass, how long they take, which mutants they reach. */
import { appendFileSync, existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Copy } from "./copy.ts";
import { variables } from "./instrument.ts";
import type { Answer, Runner, TestAnswer } from "./runner.ts";

const MAX_MS = 900_000;

export interface FileBaseline {
  readonly file: string;
  readonly overheadMs: number;
  readonly tests: readonly Pick<TestAnswer, "id" | "name" | "ms">[];
  /** Tests that fail although no mutant is active, since they read the text of sources or the clock; they judge no mutant. */
  readonly excluded: readonly string[];
  /** Mutants by number, with the ids of the tests that reach them; an empty id stands for every test of the file. */
  readonly reached: Readonly<Record<number, readonly string[]>>;
}

/** The baseline of each file, one after another in each runner; what an interrupted run has found is not asked again. */
export async function baselineOf(
  copy: Copy,
  files: readonly string[],
  runners: readonly Runner[],
  log: (line: string) => void,
): Promise<FileBaseline[]> {
  const path = join(copy.notes, "baseline.jsonl");
  const known = new Map(linesOf<FileBaseline>(path).map((baseline) => [baseline.file, baseline]));
  const waiting = files.filter((file) => !known.has(file));
  await Promise.all(
    runners.map(async (runner, lane) => {
      const coverage = join(copy.notes, `coverage-${lane}.tsv`);
      for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
        const baseline = await measured(file, runner, coverage);
        appendFileSync(path, `${JSON.stringify(baseline)}\n`);
        known.set(file, baseline);
        log(`baseline, ${waiting.length} to go: ${sentence(baseline)}`);
      }
    }),
  );
  return files.map((file) => known.get(file)!);
}

async function measured(file: string, runner: Runner, coverage: string): Promise<FileBaseline> {
  rmSync(coverage, { force: true });
  const env = { [variables.coverage]: coverage, [variables.active]: "" };
  const answer = await runner.run({ files: [{ file }], env }, MAX_MS);
  const reached = existsSync(coverage) ? reachedIn(readFileSync(coverage, "utf8")) : {};
  return { file, reached, ...outcome(answer) };
}

function outcome(answer: Answer | "timeout" | "died"): Omit<FileBaseline, "file" | "reached"> {
  if (typeof answer === "string") return { overheadMs: 0, tests: [], excluded: [`the whole file: ${answer}`] };
  const [file] = answer.files;
  const errors = [...answer.errors, ...(file?.errors ?? [])];
  if (!file || errors.length > 0) {
    return { overheadMs: 0, tests: [], excluded: [`the whole file: ${errors[0] ?? "it holds no tests"}`] };
  }
  const passed = file.tests.filter(({ state }) => state === "passed");
  return {
    overheadMs: Math.round(file.overheadMs),
    tests: passed.map(({ id, name, ms }) => ({ id, name, ms: Math.round(ms) })),
    excluded: file.tests.filter(({ state }) => state === "failed").map(({ name }) => name),
  };
}

function reachedIn(text: string): Record<number, string[]> {
  const reached: Record<number, Set<string>> = {};
  for (const line of text.split("\n").filter(Boolean)) {
    const [id, test] = line.split("\t") as [string, string];
    reached[Number(id)] ??= new Set();
    reached[Number(id)]!.add(test);
  }
  return Object.fromEntries(Object.entries(reached).map(([id, tests]) => [id, tests.has("") ? [""] : [...tests]]));
}

function sentence({ file, tests, excluded, reached, overheadMs }: FileBaseline): string {
  const seconds = (tests.reduce((sum, { ms }) => sum + ms, overheadMs) / 1000).toFixed(1);
  const without = excluded.length > 0 ? `, ${excluded.length} excluded (${excluded[0]})` : "";
  return `${file}: ${tests.length} tests, ${seconds} s, ${Object.keys(reached).length} mutants${without}`;
}

/** The records of a file of JSON lines; a last line that was cut off is left out. */
export function linesOf<T>(path: string): T[] {
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, "utf8").split("\n");
  return lines.slice(0, -1).map((line) => JSON.parse(line) as T);
}
