/** @file A model without some channels computes what it computes with zeros in their place. */
import { describe, expect, it } from "vitest";
import { random } from "../../src/data/index.ts";
import { type Model, numbersOf, type Tensor, tensorFromNumbers } from "../../src/ir/index.ts";
import { loadModel } from "../../src/onnx/files.ts";
import { type AxisClasses, axisClasses, type FactorPreference } from "../../src/ops/index.ts";
import { cutClasses } from "../../src/prune/cut.ts";
import { weightAxes } from "../../src/prune/weight-axes.ts";
import { widthsOf } from "../../src/prune/widths.ts";
import { evaluate } from "../../src/reference/index.ts";
import { openSession } from "../../src/runtime/index.ts";
import { describeShared, sharedPath } from "../shared.ts";
import { sampleOf, smallNetworks } from "../small-networks.ts";
import { zeroed } from "../zeroed.ts";

const factors: readonly FactorPreference[] = ["outer", "inner"];

/** A random part of every width, of what no other position depends on. */
function chosen(model: Model, classes: AxisClasses, seed: number, ratio: number): Set<number> {
  const draws = random(seed, 7);
  return new Set(
    widthsOf(model, weightAxes(model, classes), classes).flatMap((width) => {
      const shuffled = width.classes
        .filter((of) => !classes.isMixed(of))
        .map((of) => ({ of, order: draws.uniform() }))
        .sort((a, b) => a.order - b.order);
      const most = Math.min(Math.floor(ratio * width.classes.length), width.classes.length - 1);
      return shuffled.slice(0, most).map(({ of }) => of);
    }),
  );
}

function largestDifference(a: ReadonlyMap<string, Tensor>, b: ReadonlyMap<string, Tensor>): number {
  let worst = 0;
  for (const [name, tensor] of a) {
    const [x, y] = [numbersOf(tensor), numbersOf(b.get(name)!)];
    expect(b.get(name)!.dims).toEqual(tensor.dims);
    const scale = y.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-6);
    for (const [i, value] of x.entries()) worst = Math.max(worst, Math.abs(value - y[i]!) / scale);
  }
  return worst;
}

describe.each(Object.entries(smallNetworks))("a cut of %s", (_, entry) => {
  it.each(factors)("along the %s factor is the network with zeros", (factor) => {
    for (const seed of [1, 2, 3]) {
      const model = entry.make(seed);
      const classes = axisClasses(model, { factor });
      const removed = chosen(model, classes, seed, 0.2 * seed);
      if (seed === 3) expect(removed.size > 0).toBe(entry.whole === undefined);
      const isRemoved = (of: number) => removed.has(of);
      const feeds = new Map([[entry.input, sampleOf(entry)]]);
      const cut = evaluate(cutClasses(model, classes, isRemoved), feeds);
      expect(largestDifference(cut, evaluate(zeroed(model, classes, isRemoved), feeds))).toBeLessThan(1e-9);
    }
  });
});

/** All shared models but the largest picture. */
const pretrained = [
  "bert-toy",
  "cifar10-resnet20",
  "cifar10-resnet56",
  "cifar10-resnet8-nhwc",
  "mcunet-320kb",
  "mnist-8",
  "mnist-cnn",
  "mobilenetv2-qdq-int8",
  "shufflenet-v2-int8",
  "silero-vad",
  "squeezenet1.0-fp16",
  "squeezenet1.1",
  "super-resolution",
  "yolox-nano",
];

function feedsOf(model: Model): Map<string, Tensor> {
  const draws = random(3, 1);
  return new Map(
    model.graph.inputs
      .filter((value) => !model.graph.initializers.has(value))
      .map((value) => {
        if (value.type?.kind !== "tensor") throw new Error("no tensor");
        const { dtype, dims = [] } = value.type;
        const lengths = dims.map((dim, axis) =>
          typeof dim === "number" ? dim : (fixedLengths[`${value.name}.${axis}`] ?? (axis === 0 ? 1 : 16)),
        );
        const size = lengths.reduce((product, length) => product * length, 1);
        const isFloat = dtype.startsWith("float");
        const whole = wholeNumbers[value.name];
        const values = Array.from({ length: size }, () =>
          isFloat ? draws.normal() : (whole ?? Math.floor(2 * draws.uniform())),
        );
        return [value.name, tensorFromNumbers(dtype, lengths, values)];
      }),
  );
}

/** Of `silero-vad`: half a second of sound at 16 kHz, and its state. */
const fixedLengths: Readonly<Record<string, number>> = { "input.1": 512, "state.1": 1 };
const wholeNumbers: Readonly<Record<string, number>> = { sr: 16_000 };

describeShared("a cut of pretrained", () => {
  it.each(pretrained)("%s is the network with zeros", async (file) => {
    const model = await loadModel(sharedPath(`models/${file}.onnx`));
    const classes = axisClasses(model);
    const removed = chosen(model, classes, 5, 0.4);
    expect(removed.size).toBeGreaterThan(0);
    const isRemoved = (of: number) => removed.has(of);
    const feeds = feedsOf(model);
    await using cut = await openSession(cutClasses(model, classes, isRemoved));
    await using zeros = await openSession(zeroed(model, classes, isRemoved));
    const tolerance = file.endsWith("fp16") ? 1e-2 : 1e-5;
    expect(largestDifference(await cut.run(feeds), await zeros.run(feeds))).toBeLessThan(tolerance);
  });
});
