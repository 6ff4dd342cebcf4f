import { afterEach, describe, expect, it, vi } from "vitest";
import { CancelledError } from "../errors.ts";
import type { AccelerateEvent } from "./events.ts";
import { openJournal } from "./journal.ts";

function journal(signal = new AbortController().signal) {
  const events: AccelerateEvent[] = [];
  return { events, ...openJournal((event) => void events.push(event), signal) };
}

describe("a journal", () => {
  afterEach(() => void vi.useRealTimers());

  it("tells and keeps warnings, and a doubt only once", () => {
    const { events, warnings, warn, doubt } = journal();
    warn("W_A", "first");
    doubt([
      { code: "W_A", message: "again" },
      { code: "W_B", message: "second" },
      { code: "W_B", message: "once more" },
    ]);
    const expected = [
      { code: "W_A", message: "first" },
      { code: "W_B", message: "second" },
    ];
    expect(warnings).toEqual(expected);
    expect(events).toEqual(expected.map((warning) => ({ type: "warning", ...warning })));
  });

  it("notes how long a stage took, by its name", async () => {
    vi.useFakeTimers({ toFake: ["performance"] });
    vi.advanceTimersByTime(1000);
    const { events, stages, stage } = journal();
    const result = await stage("work", async () => {
      vi.advanceTimersByTime(250);
      return "done";
    });
    expect(result).toBe("done");
    expect(stages).toEqual([{ name: "work", milliseconds: 250, notes: [] }]);
    expect(events).toEqual([{ type: "stage", name: "work", detail: "" }]);
  });

  it("begins no stage of what was cancelled", async () => {
    const { events, stage } = journal(AbortSignal.abort());
    await expect(stage("work", async () => "done")).rejects.toThrow(CancelledError);
    expect(events).toEqual([]);
  });

  it("keeps the last word on a form, in the order of the first", () => {
    const { results, settle, refuse } = journal();
    settle({ form: "a", accepted: true, reason: "faster", onFront: false });
    settle({ form: "b", accepted: true, reason: "faster", onFront: false });
    refuse("a", "it does not hold");
    expect([...results.values()]).toStrictEqual([
      { form: "a", accepted: false, reason: "it does not hold", onFront: false },
      { form: "b", accepted: true, reason: "faster", onFront: false },
    ]);
  });
});
