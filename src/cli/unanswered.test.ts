import * as fs from "node:fs";
import { afterEach, expect, it, vi } from "vitest";
import { guardAnswer } from "./unanswered.ts";

vi.mock("node:fs", async (original) => ({ ...(await original<typeof fs>()), writeSync: vi.fn() }));
afterEach(() => {
  process.exitCode = undefined;
});

/** What the guard does when the program ends with the code. */
function ended(json: boolean, code: number, isAnswered = false) {
  const before = process.listeners("exit");
  vi.mocked(fs.writeSync).mockClear();
  process.exitCode = undefined;
  const guard = guardAnswer(json);
  const [own] = process.listeners("exit").filter((each) => !before.includes(each));
  if (isAnswered) guard.answered();
  const isThere = process.listeners("exit").includes(own!);
  own!(code);
  process.off("exit", own!);
  return { isThere, written: vi.mocked(fs.writeSync).mock.calls, code: process.exitCode };
}

it("a command that waits for what can no longer happen says so and fails", () => {
  const { written, code } = ended(false, 13);
  expect(written).toEqual([[2, expect.stringMatching(/^RuntimeError: the command ended without an answer/)]]);
  expect(code).toBe(1);
  const [[stream, text]] = ended(true, 13).written as [[number, string]];
  expect([stream, JSON.parse(text).error.name]).toEqual([1, "RuntimeError"]);
});

it("any other end is left as it is", () => {
  expect(ended(true, 0)).toEqual({ isThere: true, written: [], code: undefined });
  expect(ended(true, 13, true).isThere).toBe(false);
});
