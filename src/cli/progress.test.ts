import { describe, expect, it } from "vitest";
import { printable } from "../printable.ts";
import { bar, jsonLine, lines, progressText } from "./progress.ts";

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

describe("progress lines", () => {
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
