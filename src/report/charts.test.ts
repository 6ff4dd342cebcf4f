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
    [formatBytes(1024 ** 3), "1.00 GiB"],
    [formatBytes(1.5 * 1024 ** 3), "1.50 GiB"],
    [formatCount(9999), "9999"],
    [formatCount(12_340), "12.3 K"],
    [formatCount(2.5e6), "2.50 M"],
    [formatCount(1e9), "1.00 G"],
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
    [formatNumber(99_900), "99900"],
    [formatNumber(1e5), "1.00e+5"],
    [formatNumber(99_999), "1.00e+5"],
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
    expect(niceTicks([0, 5], 5)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(niceTicks([0, 30], 5)).toEqual([0, 10, 20, 30]);
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

  it("leave out candidates of which something was not measured", () => {
    const whole = candidate("whole", 1, 0.01, 1000);
    const { latency: _, ...untimed } = candidate("untimed", 1, 0.01, 1000);
    const { size: __, ...unsized } = candidate("unsized", 1, 0.01, 1000);
    const { agreement: ___, ...uncompared } = candidate("uncompared", 1, 0.01, 1000);
    for (const partial of [untimed, unsized, uncompared]) {
      expect(scatter([partial], "whole", 0.02, lossOf)).toBeUndefined();
      expect(drawn(scatter([whole, partial], "whole", 0.02, lossOf)!.markup, "circle")).toHaveLength(1);
    }
  });

  it("name the chosen candidate alone, within the drawing", () => {
    const named = (ratio: number) => {
      const { markup } = scatter(
        [candidate("fastest", 2, 0, 1), candidate("mine", ratio, 0, 1)],
        "mine",
        0.02,
        lossOf,
      )!;
      return [...markup.matchAll(/<text class="name"[^>]*text-anchor="(\w+)">(\w+)/g)].map(([, ...found]) => found);
    };
    expect(named(0.1)).toEqual([["start", "mine"]]);
    expect(named(1)).toEqual([["middle", "mine"]]);
    expect(named(2)).toEqual([["end", "mine"]]);
  });

  it("cut the names of layers at the front, and those of forms at the end", () => {
    const layer = (node: string) =>
      sensitivityBars([{ node, opType: "Conv", divergence: 1, keptFloat: false }])!.markup;
    expect(layer(`a${"b".repeat(33)}`)).toContain(`>a${"b".repeat(33)}</text>`);
    expect(layer(`a${"b".repeat(34)}`)).toContain(`>…${"b".repeat(33)}</text>`);
    const form = (name: string) => scatter([candidate(name, 1, 0, 1)], name, 0.02, lossOf)!.markup;
    expect(form(`${"b".repeat(59)}a`)).toContain(`>${"b".repeat(59)}a</text>`);
    expect(form(`${"b".repeat(59)}aa`)).toContain(`>${"b".repeat(59)}…</text>`);
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
    expect(sensitivityBars([])).toBeUndefined();
  });

  it("draw the thirty most sensitive layers", () => {
    const layers = Array.from({ length: 31 }, (_, i) => ({
      ...{ node: `n${i}`, opType: "Conv", keptFloat: false },
      divergence: i,
    }));
    const titles = [...sensitivityBars(layers)!.markup.matchAll(/<title>(\w+)/g)].map(([, node]) => node);
    expect(titles).toEqual(Array.from({ length: 30 }, (_, i) => `n${30 - i}`));
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
    expect(lineChart([{ name: "loss", kind: "line", points: [] }], { label: "", x: "", y: "" })).toBeUndefined();
  });

  it("put one point in the middle of a curve", () => {
    const at = (value: number) => {
      const series = [{ name: "loss", kind: "points" as const, points: [[3, value]] as const }];
      return lineChart(series, { label: "", x: "", y: "" })!.markup;
    };
    expect(drawn(at(2), "circle")).toEqual([{ cx: "342", cy: "116", r: "3" }]);
    // Half a unit of room, or a tenth of the value.
    expect([...at(2).matchAll(/end">([^<]*)/g)].map(([, tick]) => tick)).toEqual(["1.6", "1.8", "2", "2.2", "2.4"]);
    expect([...at(-20).matchAll(/end">([^<]*)/g)].map(([, tick]) => tick)).toEqual(["-22", "-21", "-20", "-19", "-18"]);
  });

  it("write small ticks of curves with an exponent, but not zero", () => {
    const points = [
      [0, 0],
      [1, 4e-4],
    ] as const;
    const { markup } = lineChart([{ name: "rate", kind: "line", points }], { label: "", x: "", y: "" })!;
    const ticks = [...markup.matchAll(/end">([^<]*)/g)].map(([, text]) => text);
    expect(ticks).toEqual(["0", "1e-4", "2e-4", "3e-4", "4e-4"]);
    const coarse = lineChart(
      [
        {
          name: "rate",
          kind: "line",
          points: [
            [0, 0],
            [1, 0.004],
          ],
        },
      ],
      { label: "", x: "", y: "" },
    )!;
    expect([...coarse.markup.matchAll(/end">([^<]*)/g)].map(([, text]) => text)).toEqual([
      "0",
      "0.001",
      "0.002",
      "0.003",
      "0.004",
    ]);
  });

  it("mark the points of a series up to sixty, and take three colours in turn", () => {
    const of = (kind: "soft" | "line" | "points", length: number) => ({
      ...{ name: "a", kind },
      points: Array.from({ length }, (_, i) => [i, i] as const),
    });
    const marks = (...series: ReturnType<typeof of>[]) => lineChart(series, { label: "", x: "", y: "" })!.markup;
    expect(drawn(marks(of("points", 60)), "circle")).toHaveLength(60);
    expect(drawn(marks(of("points", 61)), "circle")).toHaveLength(0);
    expect(drawn(marks(of("line", 2)), "circle")).toHaveLength(0);
    const four = marks(of("soft", 2), of("line", 2), of("points", 2), of("line", 2));
    expect([...four.matchAll(/<g class="([^"]*)"/g)].map(([, kind]) => kind)).toEqual([
      "curve soft c0",
      "curve line c1",
      "curve points c2",
      "curve line c0",
    ]);
  });

  it("shade from the least number below zero, or from zero, to the greatest", () => {
    const shades = (values: readonly number[]) =>
      drawn(heatMap([{ at: "1", values }], { label: "", row: "", x: "" })!.markup, "rect")
        .slice(0, values.length)
        .map((rect) => rect["fill-opacity"]);
    expect(shades([-1, 0, 3, Number.NaN])).toEqual(["0", "0.25", "1", "0"]);
    expect(shades([2, 1, 4])).toEqual(["0.5", "0.25", "1"]);
  });

  const cellTexts = (markup: string) => [...markup.matchAll(/<\/title><rect[^>]*>\s*<text class="(\w*)"/g)];
  const map = (columns: number, values: readonly number[], at = "") =>
    heatMap(
      Array.from({ length: columns }, (_, i) => ({ at: `${at}${i}`, values })),
      { label: "", row: "r", x: "" },
    )!.markup;

  it("write the numbers of a heat map where they fit, legible on their shade", () => {
    // A column is 540 / columns wide and needs 38; a row is 320 / rows high, at most 22, and needs 14.
    expect(cellTexts(map(14, [1]))).toHaveLength(14);
    expect(cellTexts(map(15, [1]))).toHaveLength(0);
    const rows = (count: number) => Array.from({ length: count }, (_, i) => i);
    expect(cellTexts(map(1, rows(22)))).toHaveLength(22);
    expect(cellTexts(map(1, rows(23)))).toHaveLength(0);
    expect(cellTexts(map(1, [0, 3, 3.1, 4])).map(([, kind]) => kind)).toEqual(["", "", "dark", "dark"]);
  });

  it("name as many rows and columns of a heat map as there is room for, from the first", () => {
    const names = (markup: string, anchor: string) =>
      [...markup.matchAll(new RegExp(`<text x="([^"]*)" y="([^"]*)" text-anchor="${anchor}">([^<]*)`, "g"))].map(
        ([, ...found]) => found,
      );
    const rows = (count: number) =>
      names(
        map(
          1,
          Array.from({ length: count }, () => 1),
        ),
        "end",
      )
        .map(([, , name]) => name!)
        .filter((name) => name.startsWith("r"));
    // 320 / 24 is more than 13, and 320 / 25 is less.
    expect(rows(24)).toHaveLength(24);
    expect(rows(25)).toEqual(Array.from({ length: 13 }, (_, i) => `r ${2 * i}`));
    // Of 16 columns each has 33.75; a name of two letters takes 20, one of five 41.
    expect(names(map(16, [1]), "middle")).toHaveLength(16);
    expect(names(map(16, [1], "abcd"), "middle").slice(0, 3)).toEqual([
      ["98.9", "41", "abcd0"],
      ["166.4", "41", "abcd2"],
      ["233.9", "41", "abcd4"],
    ]);
    expect(
      drawn(map(16, [1]), "rect")
        .slice(0, 3)
        .map(({ x, width }) => [x, width]),
    ).toEqual([
      ["82", "33.8"],
      ["115.8", "33.8"],
      ["149.5", "33.8"],
    ]);
  });
});
