/** @file Processes that wait for the next session. */
import { describe, expect, it, vi } from "vitest";
import type { Child } from "./child.ts";
import { leaveIdle, takeIdle } from "./idle.ts";

describe("an idle process", () => {
  const child = (isEnded = false) => ({ isEnded, kill: vi.fn(async () => {}), hold: vi.fn() }) as unknown as Child;

  it("is taken by the next session, unless it has ended meanwhile", () => {
    const [first, ended] = [child(), child(true)];
    leaveIdle(first, 1000);
    leaveIdle(ended, 1000);
    expect(takeIdle()).toBe(first);
    expect(takeIdle()).toBeUndefined();
  });

  it("is ended when it took much memory, when there are enough, and after a while", () => {
    vi.useFakeTimers();
    const [large, ...small] = Array.from({ length: 8 }, () => child());
    leaveIdle(large!, 1e9);
    expect(large!.kill).toHaveBeenCalled();
    for (const each of small) leaveIdle(each, 1000);
    expect(small.map(({ kill }) => vi.mocked(kill).mock.calls.length)).toEqual([0, 0, 0, 0, 0, 0, 1]);
    vi.runAllTimers();
    expect(small.map(({ kill }) => vi.mocked(kill).mock.calls.length)).toEqual([1, 1, 1, 1, 1, 1, 1]);
    expect(takeIdle()).toBeUndefined();
    vi.useRealTimers();
  });
});
