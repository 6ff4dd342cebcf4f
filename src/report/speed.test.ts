import { describe, expect, it } from "vitest";
import type { LatencyBlock } from "./facts.ts";
import { formatSpeed, formatSpread, formatTimes, formatWaiting, speedCard } from "./speed.ts";

const latency: LatencyBlock = {
  ...{ ep: "cpu", threads: 1, batch: 4, ratio: 2, spread: [1.9, 2.1], rounds: 30, inputs: 1, sessions: 3 },
  a: { p50: 8, p95: 9, min: 7, mean: 10, processor: 9.5 },
  b: { p50: 4, p95: 5, min: 3, mean: 6, processor: 6 },
  verdict: "faster",
};

describe("speed in words", () => {
  it("says that there is no telling where there is none", () => {
    expect(formatSpeed(latency)).toBe("2.00× faster");
    expect(formatSpeed({ ratio: 0.5 })).toBe("2.00× slower");
    expect(formatSpeed({ ratio: 1.01, verdict: "same" })).toBe("as fast (1.01× faster, no difference that matters)");
    expect(formatSpeed({ ratio: 0.8, verdict: "unclear" })).toBe("too noisy to tell (1.25× slower)");
  });

  it("names the median of one input, and the mean of several", () => {
    expect(formatTimes(latency)).toBe("8.00 ms → 4.00 ms");
    expect(formatTimes({ ...latency, inputs: 12 })).toBe("10.0 ms → 6.00 ms, mean of 12 inputs");
    const { mean, ...old } = latency.a;
    expect(formatTimes({ ...latency, a: old, inputs: 12 })).toBe("8.00 ms → 6.00 ms, mean of 12 inputs");
    expect(mean).toBe(10);
    expect(formatTimes({ ...latency, inputs: 2 })).toBe("10.0 ms → 6.00 ms, mean of 2 inputs");
    const { inputs: _, ...earlier } = latency;
    expect(formatTimes(earlier)).toBe("8.00 ms → 4.00 ms");
  });

  it("gives the interval, and says where it knows one session only", () => {
    expect(formatSpread(latency)).toBe("95 % interval 1.90× to 2.10×");
    expect(formatSpread({ ...latency, sessions: 1 })).toMatch(/2\.10×, which does not know/);
    const { sessions: _, ...earlier } = latency;
    for (const several of [{ ...latency, sessions: 2 }, earlier]) expect(formatSpread(several)).toMatch(/2\.10×$/);
  });

  it("tells of waiting for a processor on one thread, from a tenth of the time on", () => {
    const waiting = (processor: number | undefined, change: Partial<LatencyBlock> = {}) => {
      const { processor: _, ...rest } = latency.a;
      return formatWaiting({ ...latency, ...change, a: { ...rest, ...(processor !== undefined && { processor }) } });
    };
    expect(waiting(6)).toBe("the machine was busy: runs of the original waited 40 % of their time for a processor");
    for (const none of [waiting(9.5), waiting(undefined), waiting(6, { threads: 2 }), waiting(6, { ep: "webgpu" })])
      expect(none).toBeUndefined();
  });

  it("colours a card by what is certain", () => {
    expect(speedCard("Speed", latency).markup).toContain('class="better"');
    expect(speedCard("Speed", { ...latency, ratio: 0.5, verdict: "slower" }).markup).toContain('class="worse"');
    const open = speedCard("Speed", { ...latency, ratio: 1.2, verdict: "unclear" }).markup;
    expect(open).toContain('class="plain"');
    expect(open).toContain("too noisy to tell");
    expect(speedCard("Speed", { ...latency, ratio: 1.2, verdict: "same" }).markup).toContain('class="plain"');
    const { verdict: _, ...earlier } = latency;
    expect(speedCard("Speed", earlier).markup).toContain('class="better"');
    expect(speedCard("Speed", { ...earlier, ratio: 1 }).markup).toContain('class="worse"');
  });
});
