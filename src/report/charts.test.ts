/** @file Where charts put things and how figures read: numbers worked out by hand from the sizes of the drawings. */
import { describe, expect, it } from "vitest";
import { sensitivityBars } from "./bars.ts";
import type { CandidateFacts } from "./facts.ts";
import {
  formatBytes,
  formatChange,
  formatCount,
  formatMilliseconds,
  formatNumber,
  formatPercent,
  formatRatio,
} from "./format.ts";
import { heatMap } from "./heat-map.ts";
import { lineChart } from "./line-chart.ts";
import { lossOf } from "./loss.ts";
import { linear, niceTicks } from "./scale.ts";
import { scatter } from "./scatter.ts";

/** The attributes of every such element, in their order. */
function drawn(markup: string | undefined, element: string): Record<string, string>[] {
  return [...(markup ?? "").matchAll(new RegExp(`<${element} ([^>]*)`, "g"))].map(([, text]) =>
    Object.fromEntries([...text!.matchAll(/([\w-]+)="([^"]*)"/g)].map(([, name, value]) => [name, value])),
  );
}

describe("figures", () => {
  it.each<[string, string]>([
    [formatBytes(1023), "1023 B"],
    [formatBytes(1536), "1.5 KiB"],
    [formatBytes(1024 ** 2), "1.00 MiB"],
    [formatBytes(1.5 * 1024 ** 3), "1.50 GiB"],
    [formatCount(9999), "9999"],
    [formatCount(12_340), "12.3 K"],
    [formatCount(2.5e6), "2.50 M"],
    [formatCount(3e9), "3.00 G"],
    [formatPercent(0.1234), "12.34 %"],
    [formatPercent(0.1234, 1), "12.3 %"],
    [formatRatio(1.005), "1.00×"],
    [formatChange(2, "faster", "slower"), "2.00× faster"],
    [formatChange(0.8, "faster", "slower"), "1.25× slower"],
    [formatChange(1, "smaller", "larger"), "1.00× smaller"],
    [formatMilliseconds(0.01234), "0.0123 ms"],
    [formatMilliseconds(12.34), "12.3 ms"],
    [formatMilliseconds(999), "999.0 ms"],
    [formatMilliseconds(1500), "1.50 s"],
    [formatNumber(0), "0"],
    [formatNumber(-2.3456), "-2.35"],
    [formatNumber(0.000123456), "1.23e-4"],
    [formatNumber(123456), "1.23e+5"],
  ])("%s is %s", (found, expected) => {
    expect(found).toBe(expected);
  });
});

describe("what a candidate loses", () => {
  it.each<[string, Parameters<typeof lossOf>[0], number | undefined]>([
    ["accuracy where there are labels", block({ lost: 0.5, top1: 0.5 }, { a: 0.875, b: 0.75 }), 0.125],
    ["a gain below nothing", block({}, { a: 0.75, b: 0.875 }), -0.125],
    ["what was counted as lost", block({ lost: 0.25, top1: 0.875 }), 0.25],
    ["other answers", block({ top1: 0.875 }), 0.125],
    ["1 − cosine", block({ cosine: 0.75 }), 0.25],
    ["unknown without a comparison", {}, undefined],
  ])("is %s", (_, facts, expected) => {
    expect(lossOf(facts)).toBe(expected);
  });
});

function block(agreement: object, accuracy?: { readonly a: number; readonly b: number }): Parameters<typeof lossOf>[0] {
  const known = { n: 8, maxAbs: 1, relative: 1, cosine: 0.5, ...agreement };
  return { agreement: known, ...(accuracy && { accuracy: { ...accuracy, n: 8 } }) } as Parameters<typeof lossOf>[0];
}

describe("scales", () => {
  it("go from one end to the other, and to the middle where there is one point", () => {
    const scale = linear([2, 4], [100, 20]);
    expect([2, 2.5, 4].map(scale.at)).toEqual([100, 80, 20]);
    expect(linear([3, 3], [0, 50]).at(3)).toBe(25);
  });

  it("have round ticks inside the domain", () => {
    expect(niceTicks([0.3, 2.3], 5)).toEqual([0.5, 1, 1.5, 2]);
    expect(niceTicks([-30, 110], 8)).toEqual([-20, 0, 20, 40, 60, 80, 100]);
  });
});

const candidate = (form: string, ratio: number, loss: number, bytes: number, onFront = false) =>
  ({
    form,
    accepted: true,
    onFront,
    reason: "",
    latency: { ratio },
    size: { b: bytes },
    agreement: { lost: loss },
  }) as unknown as CandidateFacts;

describe("charts", () => {
  it("put candidates by speed and loss, with areas by bytes, and shade what is faster within the bound", () => {
    const forms = [
      candidate("small", 2, 0.01, 1000),
      candidate("large", 0.5, -0.5, 4000, true),
      candidate("bad", 1, 0.9, 1000),
    ];
    const { markup } = scatter(forms, "small", 0.02, lossOf)!;
    // x: 0 to 2 · 1.08 over 58 to 622. y: the largest loss counts as 20 · 0.02 = 0.4, so −0.0264 to 0.44 over 298 to 16.
    const circles = drawn(markup, "circle");
    expect(circles).toEqual([
      { cx: "188.6", cy: "282", r: "13.0" },
      { cx: "580.2", cy: "276", r: "8.5" },
      { cx: "319.1", cy: "16", r: "8.5" },
    ]);
    expect([...markup.matchAll(/<g class="(\w+)"/g)].map(([, kind]) => kind)).toEqual(["front", "chosen", "other"]);
    const [good] = drawn(markup, "rect");
    expect([good!.x, good!.y].map(Number)).toEqual([319.1, 269.9]);
    expect([good!.width, good!.height].map(Number).map((x) => Math.round(10 * x) / 10)).toEqual([302.9, 28.1]);
    expect(scatter([], "small", 0.02, lossOf)).toBeUndefined();
  });

  it("draw sensitive layers first, as long as they suffer", () => {
    const entry = (node: string, divergence: number, keptFloat = false) => ({
      node,
      opType: "Conv",
      divergence,
      keptFloat,
    });
    const { markup } = sensitivityBars([entry("a", 0.1), entry("b", 0.4, true), entry("c", 0)])!;
    expect(drawn(markup, "rect").map(({ y, width }) => [y, width])).toEqual([
      ["4", "290.0"],
      ["21", "72.5"],
      ["38", "1.0"],
    ]);
    expect([...markup.matchAll(/<title>(\w) /g)].map(([, node]) => node)).toEqual(["b", "a", "c"]);
    expect(markup.match(/class="kept"/g)).toHaveLength(1);
  });

  it("draw curves from left to right and from below", () => {
    const points = [
      [0, 1],
      [5, 2],
      [10, 3],
    ] as const;
    const { markup } = lineChart([{ name: "loss", kind: "line", points }], { label: "", x: "", y: "" })!;
    // x: 0 to 10 over 62 to 622. y: 1 − 0.12 to 3 + 0.12 over 218 to 14.
    expect(drawn(markup, "path").map(({ d }) => d)).toEqual(["M62 207.1L342 116L622 24.9"]);
  });

  it("shade from the least number below zero, or from zero, to the greatest", () => {
    const shades = (values: readonly number[]) =>
      drawn(heatMap([{ at: "1", values }], { label: "", row: "", x: "" })!.markup, "rect")
        .slice(0, values.length)
        .map((rect) => rect["fill-opacity"]);
    expect(shades([-1, 0, 3, Number.NaN])).toEqual(["0", "0.25", "1", "0"]);
    expect(shades([2, 1, 4])).toEqual(["0.5", "0.25", "1"]);
  });
});
