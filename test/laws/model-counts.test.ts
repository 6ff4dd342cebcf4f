/** @file Parameters and multiply-accumulates of the networks: against torchvision's own (test/fixtures/model-counts), against what was published, and against formulas worked out by hand. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { Model } from "../../src/ir/index.ts";
import {
  bert,
  googlenet,
  imagenetVgg,
  mobilenetV1,
  mobilenetV2,
  mobilenetV3,
  nin,
  quasiRecurrent,
  recurrent,
  reformer,
  shufflenet,
  shufflenetV2,
  sliced,
  squeezenet,
} from "../../src/models/index.ts";
import { costOf } from "../../src/ops/index.ts";

interface Counts {
  readonly params: number;
  readonly macs: number;
  readonly convolutionParams: number;
  readonly convolutionMacs: number;
}

const fixture = new URL("../fixtures/model-counts/torchvision.json", import.meta.url);
const { networks } = JSON.parse(readFileSync(fixture, "utf8")) as { networks: Readonly<Record<string, Counts>> };

/** Only sizes count. */
const zeros = { uniform: () => 0, normal: () => 0 };

function counted(model: Model): { params: number; macs: number } {
  const { params, macs, unknown } = costOf(model);
  expect(unknown).toEqual([]);
  return { params, macs };
}

const twins: Readonly<Record<string, () => Model>> = {
  googlenet: () => googlenet(zeros, { form: "torchvision" }),
  squeezenet1_0: () => squeezenet(zeros, { version: "1.0" }),
  squeezenet1_1: () => squeezenet(zeros),
  mobilenet_v2: () => mobilenetV2(zeros),
  mobilenet_v3_small: () => mobilenetV3(zeros),
  mobilenet_v3_large: () => mobilenetV3(zeros, { form: "large" }),
  shufflenet_v2_x0_5: () => shufflenetV2(zeros, { width: 0.5 }),
  shufflenet_v2_x1_0: () => shufflenetV2(zeros),
  shufflenet_v2_x1_5: () => shufflenetV2(zeros, { width: 1.5 }),
  shufflenet_v2_x2_0: () => shufflenetV2(zeros, { width: 2 }),
};

describe("the counts of torchvision", () => {
  it.each(Object.entries(twins))("of %s", (name, make) => {
    const { params, macs } = networks[name]!;
    expect(counted(make())).toEqual({ params, macs });
  });

  it.each([11, 16, 19])("of the convolutions of VGG-%d", (depth) => {
    const layers = costOf(imagenetVgg(zeros, { depth, hidden: 8 })).byNode.filter(({ opType }) => opType === "Conv");
    const { convolutionParams, convolutionMacs } = networks[`vgg${depth}`]!;
    expect(layers.reduce((sum, { params }) => sum + params, 0)).toBe(convolutionParams);
    expect(layers.reduce((sum, { macs = 0 }) => sum + macs, 0)).toBe(convolutionMacs);
  });
});

/** Millions of parameters and of multiply-accumulates as they were printed; docs/models.md has the sources. */
const published: Readonly<Record<string, readonly [() => Model, number | undefined, number | undefined]>> = {
  "NIN for CIFAR-10": [() => nin(zeros), 0.967, undefined],
  "GoogLeNet of BVLC": [() => googlenet(zeros), 6.999, undefined],
  "MobileNet 1.0 at 224": [() => mobilenetV1(zeros), undefined, 569],
  "MobileNet 0.25 at 128": [() => mobilenetV1(zeros, { width: 0.25, size: 128 }), 0.47, 14],
  "ShuffleNet 1×, 3 groups": [() => shufflenet(zeros), undefined, 137],
  "ShuffleNet 2×, 3 groups": [() => shufflenet(zeros, { width: 2 }), undefined, 524],
  "ShuffleNet 0.5×, 8 groups": [() => shufflenet(zeros, { width: 0.5, groups: 8 }), undefined, 40],
  "BERT tiny": [() => bert(zeros), 4.386, undefined],
  "BERT mini": [() => bert(zeros, { shape: "mini" }), 11.171, undefined],
};

function digitsOf(x: number): number {
  return `${x}`.split(".")[1]?.length ?? 0;
}

describe("the counts in print", () => {
  it.each(Object.entries(published))("of %s", (_, [make, params, macs]) => {
    const found = counted(make());
    if (params !== undefined) expect((found.params / 1e6).toFixed(digitsOf(params))).toBe(`${params}`);
    if (macs !== undefined) expect((found.macs / 1e6).toFixed(digitsOf(macs))).toBe(`${macs}`);
  });
});

describe("the counts of formulas", () => {
  it("of NIN, layer by layer", () => {
    const layers = [
      [5, 3, 192, 32],
      [1, 192, 160, 32],
      [1, 160, 96, 32],
      [5, 96, 192, 16],
      [1, 192, 192, 16],
      [1, 192, 192, 16],
      [3, 192, 192, 8],
      [1, 192, 192, 8],
      [1, 192, 10, 8],
    ] as const;
    const params = layers.reduce((sum, [k, from, to]) => sum + k * k * from * to + to, 0);
    const macs = layers.reduce((sum, [k, from, to, side]) => sum + k * k * from * to * side * side, 0);
    expect(counted(nin(zeros))).toEqual({ params, macs });
  });

  it("of recurrent networks over 12 rows of 5 numbers", () => {
    const input = [12, 5];
    const head = 4 * 3 + 3;
    expect(counted(recurrent(zeros, { input, hidden: 4, classes: 3 })).params).toBe(4 * (4 * 5 + 4 * 4 + 8) + head);
    expect(counted(recurrent(zeros, { input, hidden: 4, classes: 3, cell: "gru" })).params).toBe(
      3 * (4 * 5 + 4 * 4 + 8) + head,
    );
    for (const [pooling, gates] of [
      ["f", 2],
      ["fo", 3],
      ["ifo", 4],
    ] as const) {
      const found = counted(quasiRecurrent(zeros, { input, hidden: 4, classes: 3, pooling, window: 3 }));
      expect(found).toEqual({ params: gates * 4 * (3 * 5 + 1) + head, macs: 12 * gates * 4 * 3 * 5 + 12 });
    }
    const levels = 3 * (4 * 5 + 4 * 4 + 8) + 3 * (4 * 4 + 4 * 4 + 8);
    expect(counted(sliced(zeros, { input, hidden: 4, classes: 3, parts: 3, times: 1 })).params).toBe(levels + head);
  });

  it("of a Reformer, whose attention grows with the length and no faster", () => {
    const block = 8 * 8 * 3 + 8 + 2 * (8 * 32) + 32 + 8 + 2 * 16;
    const made = (length: number) =>
      counted(
        reformer(zeros, {
          input: [length],
          vocabulary: 10,
          width: 8,
          depth: 2,
          heads: 2,
          bucket: 4,
          hashes: 2,
          classes: 3,
        }),
      );
    const rotations = 2 * 2 * (8 / 2) * (16 / 4 / 2);
    expect(made(16).params).toBe(10 * 8 + 16 * 8 + 2 * block + 16 + 8 * 3 + 3 + rotations);
    // Hashing alone has as many directions as there are buckets; all else is the same for each position.
    const hashing = (length: number) => 2 * 2 * 2 * length * 4 * (length / 4 / 2);
    const rest = (length: number) => (made(length).macs - hashing(length) - 24) / length;
    expect(rest(32)).toBe(rest(16));
  });
});

it("refuses what has no published form", () => {
  expect(() => imagenetVgg(zeros, { depth: 12 })).toThrow(/no VGG of this depth.*11, 13, 16, 19/);
  expect(() => imagenetVgg(zeros, { size: 33 })).toThrow(/multiple of 32/);
  expect(() => shufflenet(zeros, { groups: 5 })).toThrow(/1, 2, 3, 4, 8/);
  expect(() => shufflenetV2(zeros, { width: 1.2 })).toThrow(/0.5, 1, 1.5, 2/);
  expect(() => recurrent(zeros, { input: [4, 4, 4, 4], classes: 2 })).toThrow(/no sequence/);
  expect(() => recurrent(zeros, { input: [4, 4], vocabulary: 3, classes: 2 })).toThrow(/\[time\] beside a vocabulary/);
});
