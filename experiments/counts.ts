/** @file Multiply-accumulates and parameters against published figures and an independent counter. */
import { readFileSync } from "node:fs";
import { loadModel } from "../src/onnx/files.ts";
import { costOf } from "../src/ops/index.ts";
import { type Experiment, markdownTable } from "./experiment.ts";
import { everyOne } from "./judgement.ts";

interface Fixture {
  readonly convGemmMacs: number;
  /** The counter's own total. */
  readonly params: number;
  readonly runningStatistics: number;
  readonly published: { readonly macs: number; readonly params: number; readonly source: string };
}

interface Counted {
  readonly model: string;
  readonly macs: number;
  readonly parameters: number;
  readonly statistics: number;
  readonly counterMacs: number;
  readonly counterParameters: number;
  readonly publishedMacs: number;
  readonly publishedParameters: number;
}

const fixtures = JSON.parse(
  readFileSync(new URL("../test/fixtures/counts/counts.json", import.meta.url), "utf8"),
) as Record<string, Fixture>;

const figure = (count: number): string => count.toLocaleString("en-US");

export const counts: Experiment<readonly Counted[]> = {
  name: "counts",
  claim: "`lithe inspect` counts what the literature counts.",
  source:
    "published counts in test/fixtures/counts/counts.json with their sources; independent counter: onnx-tool 1.0.1",
  workload: "Multiply-accumulates of Conv, Gemm and MatMul at batch 1, parameters without running statistics.",
  seeds: [],
  criterion: "the multiply-accumulates equal the counter's layer by layer and the published ones to their rounding.",
  async run({ shared }) {
    const results: Counted[] = [];
    for (const [model, fixture] of Object.entries(fixtures)) {
      const cost = costOf(await loadModel(`${shared}/models/${model}.onnx`));
      results.push({
        model,
        macs: cost.macs,
        parameters: cost.params,
        statistics: cost.statistics,
        counterMacs: fixture.convGemmMacs,
        counterParameters: fixture.params - fixture.runningStatistics,
        publishedMacs: fixture.published.macs,
        publishedParameters: fixture.published.params,
      });
    }
    return results;
  },
  judge: (results) => [
    everyOne(
      "the multiply-accumulates equal the counter's (layer by layer in `test/laws/costs.test.ts`)",
      results,
      ({ macs, counterMacs }) => macs === counterMacs,
      ({ model, macs, counterMacs }) => `${model} ${figure(macs)} against ${figure(counterMacs)}`,
    ),
    {
      ...everyOne(
        "they equal the published ones to their rounding",
        results,
        ({ macs, publishedMacs }) => Math.abs(macs - publishedMacs) <= roundingOf(publishedMacs) / 2,
        ({ model, macs, publishedMacs }) => `${model} ${figure(macs)} against ${figure(publishedMacs)}`,
      ),
      why: "the published ResNets have two more 1×1 convolutions, and YOLOX-nano's figure is 1.08 GFLOPs, halved, of all operators.",
    },
  ],
  page(results) {
    const rows = results.map((row) => [
      row.model,
      figure(row.macs),
      figure(row.counterMacs),
      figure(row.publishedMacs),
      figure(row.parameters),
      figure(row.counterParameters),
      figure(row.publishedParameters),
    ]);
    const headings = ["model", "MACs", "counter", "published", "parameters", "counter", "published"];
    const note =
      "The counter's parameters (without running statistics) include tensors that are no weights: 24 integers of pads and slices in each ResNet, 14 integers and the 4 scales of a Resize in YOLOX-nano; " +
      "otherwise the figures are equal. The published MACs of the ResNets come from models with two more 1×1 shortcut convolutions, " +
      "and YOLOX-nano's from 1.08 GFLOPs, halved. Layer by layer the figures are compared in `test/laws/costs.test.ts`.";
    return `${markdownTable(headings, rows)}\n\n${note}`;
  },
};

/** The place that a figure is rounded to: the largest power of ten that divides it. */
function roundingOf(count: number): number {
  let place = 1;
  while (count % (10 * place) === 0) place *= 10;
  return place;
}
