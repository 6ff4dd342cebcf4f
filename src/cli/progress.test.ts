import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { printable } from "../printable.ts";
import { bar, jsonLine, lines, progressText, sentences } from "./progress.ts";

beforeEach(() => void vi.useFakeTimers({ now: 1_000_000 }));
afterEach(() => void vi.useRealTimers());

describe("a progress bar", () => {
  it("tells rate and time left", () => {
    const text = progressText({ stage: "calibrate", done: 5, total: 20, detail: "conv1" }, 2.5);
    expect(text).toBe("calibrate [#####---------------] 5/20 2.5/s, 6 s left conv1");
    expect(progressText({ stage: "calibrate", done: 0, total: 1000 }, 1)).toContain("16 min 40 s left");
  });

  it("tells what it knows without a total or a rate", () => {
    expect(progressText({ stage: "calibrate", done: 7, total: 0 }, 3)).toBe("calibrate 7 3.0/s");
    expect(progressText({ stage: "float16", done: 0, total: 0, detail: "building" }, 0)).toBe("float16 building");
  });

  it("fits the terminal, sends no escape of a model's, and clears only what it drew", () => {
    const written: string[] = [];
    const meter = bar(
      (text) => void written.push(text),
      () => 40,
    );
    meter.clear();
    expect(written).toEqual([]);
    meter.show({ stage: "round", done: 1, total: 2, detail: `\u001b[31m${"x".repeat(100)}` });
    const [text] = written;
    expect(text?.replace(/^\r\u001b\[2K/, "")).toMatch(/^[^\u001b]{39}$/);
    meter.clear();
    expect(written).toHaveLength(2);
  });
});

describe("the rate of a progress bar", () => {
  it("counts from the first time that a stage is shown", () => {
    const written: string[] = [];
    const meter = bar(
      (text) => void written.push(text),
      () => 100,
    );
    meter.show({ stage: "round", done: 10, total: 50 });
    vi.advanceTimersByTime(2000);
    meter.show({ stage: "round", done: 30, total: 50 });
    // 20 in 2 s, and 20 to go.
    expect(written[1]).toContain("30/50 10.0/s, 2 s left");
    meter.show({ stage: "other", done: 1, total: 50 });
    expect(written[2]).toMatch(/1\/50$/);
  });

  it("is not told of more than all, and no time is left then", () => {
    expect(progressText({ stage: "round", done: 30, total: 20 }, 2)).toBe(
      `round [${"#".repeat(20)}] 30/20 2.0/s, 0 s left`,
    );
  });
});

describe("progress of a whole job", () => {
  const whole = { part: "form 3", done: 38.7, total: 60 };

  it("is one bar over all of it, with the part at hand behind", () => {
    const text = progressText({ stage: "static int8", done: 2, total: 8, detail: "calibrating", whole }, 5);
    expect(text).toBe("[#############-------] form 3 · 38 of 60 s · static int8 2/8 calibrating");
    expect(progressText({ stage: "verify", done: 0, total: 0, whole: { ...whole, done: 75 } }, 0)).toBe(
      `[${"#".repeat(20)}] form 3 · 60 of 60 s · verify`,
    );
  });

  it("is green where colours are wanted, and only there", () => {
    const written: string[] = [];
    const show = (color: boolean) => {
      bar(
        (text) => void written.push(text),
        () => 80,
        color,
      ).show({ stage: "round", done: 10, total: 20 });
    };
    show(true);
    show(false);
    expect(written.map((text) => text.includes("\u001b[32m##########\u001b[39m----------"))).toEqual([true, false]);
    expect(written[1]).toContain("[##########----------]");
  });
});

describe("progress sentences", () => {
  it("come at the beginning of each stage and every ten seconds, as words", () => {
    const written: string[] = [];
    const meter = sentences((text) => void written.push(text));
    meter.show({ stage: "round", done: 1, total: 8, detail: "conv\n1" });
    meter.show({ stage: "round", done: 2, total: 8 });
    meter.show({ stage: "calibrate", done: 3, total: 0 });
    vi.advanceTimersByTime(9_999);
    meter.show({ stage: "round", done: 3, total: 8 });
    vi.advanceTimersByTime(1);
    meter.show({ stage: "round", done: 4, total: 8, whole: { part: "form 2", done: 10, total: 60 } });
    meter.clear();
    expect(written).toEqual(["round 1 of 8, conv\\u000a1\n", "calibrate 3\n", "form 2 · 10 of 60 s: round 4 of 8\n"]);
  });
});

describe("progress lines", () => {
  it("come four times a second, for each stage, and for the end of the shortest work", () => {
    const written: string[] = [];
    const meter = lines((text) => void written.push(text));
    const show = (stage: string, done: number, total = 100) => {
      const before = written.length;
      meter.show({ stage, done, total });
      return written.length - before;
    };
    expect([show("round", 1), show("round", 2), show("other", 1)]).toEqual([1, 0, 1]);
    vi.advanceTimersByTime(249);
    expect(show("round", 3)).toBe(0);
    vi.advanceTimersByTime(1);
    expect([show("round", 4), show("round", 5)]).toEqual([1, 0]);
    expect([show("one", 0, 1), show("one", 1, 1)]).toEqual([1, 1]);
    expect([show("endless", 1, 0), show("endless", 2, 0)]).toEqual([1, 0]);
  });

  it("are JSON, one for a burst of changes and always one for the end", () => {
    const written: string[] = [];
    const meter = lines((text) => void written.push(text));
    for (let done = 0; done <= 100; done++) meter.show({ stage: "round", done, total: 100 });
    const events = written.map((line) => JSON.parse(line) as { done: number });
    expect(events[0]?.done).toBe(0);
    expect(events.at(-1)).toEqual({ type: "progress", stage: "round", done: 100, total: 100 });
    expect(events.length).toBeLessThan(20);
  });
});

describe("printable text", () => {
  it("lets no name begin a line, hide itself or turn its direction", () => {
    expect(printable("x\nFAKE\r\u200e\u2028\ufeff")).toBe("x\\u000aFAKE\\u000d\\u200e\\u2028\\ufeff");
  });

  it("keeps the meaning of JSON and none of its control characters", () => {
    const value = { name: "a\u009b2J\u202e\n", list: ["\u007f"] };
    expect(jsonLine(value)).toBe('{"name":"a\\u009b2J\\u202e\\n","list":["\\u007f"]}');
    expect(JSON.parse(jsonLine(value))).toEqual(value);
  });

  it("shows what would move the cursor or turn the text around", () => {
    expect(printable("a\u001b[2J\u202eb\tc\nd")).toBe("a\\u001b[2J\\u202eb\tc\\u000ad");
  });
});
