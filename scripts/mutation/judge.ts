/** @file Whether the tests notice a mutant. */
import { type Numbered, variables } from "./instrument.ts";
import { chunked, type Part } from "./order.ts";
import type { Answer, Runner } from "./runner.ts";

/** "capped": the tests that were asked did not notice, and some were not asked. */
export type Status = "killed" | "timeout" | "survived" | "uncovered" | "capped";

export interface Verdict {
  readonly key: string;
  /** Tests near the mutant are asked before the others. */
  readonly wave: "near" | "far";
  readonly status: Status;
  /** The test that noticed. */
  readonly by?: string;
  readonly seconds: number;
}

/** Asks the tests of `parts` in turn until one notices; `capMs` bounds what they take without the mutant. */
export async function judged(
  { id }: Numbered,
  parts: readonly Part[],
  runner: Runner,
  capMs: number,
): Promise<Pick<Verdict, "status" | "by">> {
  if (parts.length === 0) return { status: "uncovered" };
  const { chunks, isCapped } = chunked(parts, capMs);
  const env = { [variables.active]: String(id), [variables.coverage]: "" };
  for (const chunk of chunks) {
    const usual = chunk.reduce((sum, { ms }) => sum + ms, 0);
    const answer = await runner.run({ files: chunk, env }, 3 * usual + 20_000);
    if (answer === "timeout") return { status: "timeout", by: chunk[0]!.file };
    const by = noticedBy(answer);
    if (by !== undefined) return { status: "killed", by };
  }
  return { status: isCapped ? "capped" : "survived" };
}

function noticedBy(answer: Answer | "died"): string | undefined {
  if (answer === "died") return "the end of the process";
  for (const { file, failed, tests, errors } of answer.files) {
    const test = tests.find(({ state }) => state === "failed");
    if (test) return `${file}: ${test.name}`;
    if (failed) return `${file}: ${errors[0] ?? "a hook"}`;
  }
  return answer.errors[0];
}
