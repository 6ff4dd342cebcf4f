import { describe, expect, it } from "vitest";
import { UsageError } from "../../errors.ts";
import { type NetworkCost, simulate } from "./branches.ts";
import { type Link, type ReductionName, reductions } from "./reductions.ts";

const link: Link = { latency: 0.1, bandwidth: 1000 };
const names = Object.keys(reductions) as ReductionName[];

/** Two stages of n branches of 1 ms with 0.5 ms before them, and 2 ms at the end. */
function costOf(branches: number): NetworkCost {
  const stage = [
    { kind: "run", branches, fixed: 0.5, branch: 1 },
    { kind: "sum", bytes: 400, terms: "all" },
  ] as const;
  return { call: 0.1, steps: [...stage, ...stage, { kind: "run", branches: 0, fixed: 2, branch: 0 }] };
}

describe.each(names)("the reduction %s", (name) => {
  it("takes no time on one device, and more with more bytes", () => {
    expect(reductions[name](1, 1e6, link)).toBe(0);
    expect(reductions[name](8, 2000, link)).toBeGreaterThan(reductions[name](8, 1000, link));
  });

  it("is one message on two devices", () => {
    const messages = name === "ring" ? 2 : 1;
    expect(reductions[name](2, 0, link)).toBeCloseTo(messages * link.latency, 12);
    expect(reductions[name](2, 1000, { latency: 0, bandwidth: 1000 })).toBeCloseTo(1, 12);
  });
});

describe("the simulator", () => {
  it("adds everything up on one device, in one call", () => {
    const { latency, work, exchange } = simulate(costOf(12), 1, { link });
    expect(latency).toBeCloseTo(2 * (0.5 + 12) + 2 - 2 * 0.1, 12);
    expect([work, exchange]).toEqual([latency, 0]);
  });

  it("counts the slowest device and every sum", () => {
    const { latency, exchange, work } = simulate(costOf(12), 5, { link });
    expect(exchange).toBeCloseTo(2 * 3 * (0.1 + 0.4), 12);
    expect(latency).toBeCloseTo(2 * (0.5 + 3) + 2 + exchange, 12);
    expect(work).toBeCloseTo(2 * (5 * 0.5 + 12) + 2 + 5 * exchange, 12);
  });

  it("takes as long for n branches on n devices whatever n is, with sums for nothing", () => {
    const free: Link = { latency: 0, bandwidth: Number.POSITIVE_INFINITY };
    const latencies = [2, 8, 64].map((n) => simulate(costOf(n), n, { link: free }).latency);
    expect(new Set(latencies).size).toBe(1);
  });

  it("gains nothing from more devices than branches", () => {
    expect(simulate(costOf(4), 64, { link }).latency).toBeGreaterThan(simulate(costOf(4), 4, { link }).latency);
    expect(() => simulate(costOf(4), 0, { link })).toThrow(UsageError);
  });
});
