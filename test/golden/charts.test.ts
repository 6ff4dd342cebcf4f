/** @file What charts of a few fixed numbers look like: their SVG, an element on each line. */
import { describe, expect, it } from "vitest";
import { sensitivityBars } from "../../src/report/bars.ts";
import type { CandidateFacts } from "../../src/report/facts.ts";
import { heatMap } from "../../src/report/heat-map.ts";
import { lineChart } from "../../src/report/line-chart.ts";
import { lossOf } from "../../src/report/loss.ts";
import type { Markup } from "../../src/report/markup.ts";
import { scatter } from "../../src/report/scatter.ts";
import { treemap } from "../../src/report/treemap.ts";

const layer = (node: string, divergence: number, keptFloat = false) => ({
  node,
  opType: "Conv",
  divergence,
  keptFloat,
});

const candidate = (form: string, ratio: number, loss: number, bytes: number, onFront = false) =>
  ({
    form,
    accepted: true,
    onFront,
    reason: "measured",
    latency: { ratio },
    size: { b: bytes },
    agreement: { lost: loss },
  }) as unknown as CandidateFacts;

const tensor = (name: string, dtype: string, bytes: number) => ({ name, opType: "Conv", dtype, bytes });

const charts: Record<string, Markup> = {
  bars: sensitivityBars([layer("conv1", 0.5, true), layer("conv2", 0.25), layer("head", 0)])!,
  "heat-map": heatMap(
    [
      { at: "1", values: [-10, 5, 30.5] },
      { at: "2", values: [0, Number.NaN, 28] },
    ],
    { label: "load of each expert", row: "expert", x: "epochs" },
  )!,
  "line-chart": lineChart(
    [
      {
        name: "each",
        kind: "soft",
        points: [
          [0, 3],
          [50, 1.2],
          [100, 1],
        ],
      },
      {
        name: "mean",
        kind: "line",
        points: [
          [0, 3],
          [50, 2.1],
          [100, 1.5],
        ],
      },
      {
        name: "validation",
        kind: "points",
        points: [
          [50, 2],
          [100, 1.75],
        ],
      },
    ],
    { label: "Loss over the run", x: "batches", y: "loss" },
  )!,
  scatter: scatter(
    [candidate("int8", 2, 0.01, 1000), candidate("float16", 1.5, 0, 2000, true), candidate("original", 1, 0.05, 4000)],
    "int8",
    0.02,
    lossOf,
  )!,
  treemap: treemap(
    [
      tensor("stem.weight", "float32", 60_000),
      tensor("stage.weight_quantized", "int8", 24_000),
      tensor("stage.scale", "float16", 10_000),
      tensor("head.bias", "int32", 200),
    ],
    { width: 480, height: 300 },
    "Tensors of the result",
  ),
};

describe("golden charts", () => {
  it.each(Object.entries(charts))("%s", async (name, { markup }) => {
    await expect(`${markup.replaceAll(/>\s*</g, ">\n<")}\n`).toMatchFileSnapshot(`charts/${name}.svg`);
  });
});
