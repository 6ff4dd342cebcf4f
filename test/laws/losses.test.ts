/** @file Every loss: its value and gradient as PyTorch has them, and the gradient against differences in float64. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { differentiateGraph } from "../../src/autodiff/index.ts";
import { graphBuilder, model, numbersOf, type Tensor, tensorFromNumbers } from "../../src/ir/index.ts";
import { builderInference } from "../../src/ops/index.ts";
import { evaluate } from "../../src/reference/index.ts";
import { type Loss, type LossName, losses } from "../../src/train/index.ts";
import { stepBuilder } from "../../src/train/step/step-builder.ts";

interface Recorded {
  readonly loss: LossName;
  readonly options: object;
  readonly dims: readonly number[];
  readonly prediction: readonly number[];
  readonly labelDims: readonly number[];
  readonly labelType: "float64" | "int64";
  readonly labels: readonly number[];
  readonly value: number;
  readonly gradient: readonly number[];
}

const recorded: { torch: string; cases: readonly Recorded[] } = JSON.parse(
  readFileSync(new URL("../fixtures/losses/torch.json", import.meta.url), "utf8"),
);

function lossModel({ loss: name, options, dims }: Recorded) {
  const loss = (losses[name] as (options: object) => Loss)(options);
  const g = graphBuilder({ infer: builderInference(21) });
  const prediction = g.input("prediction", "float64", dims);
  const type = loss.labels(prediction);
  const labels = g.input("labels", type.dtype, type.dims);
  const value = loss.build(stepBuilder(g), prediction, labels);
  g.output(value);
  const { graph, gradients } = differentiateGraph(g.build(), { of: value, wrt: [prediction], opset: 21 });
  const gradient = gradients.get(prediction)!;
  return { model: model({ ...graph, outputs: [value, gradient] }), type, value: value.name, gradient: gradient.name };
}

function feeds({ dims, labelDims, labelType, labels }: Recorded, prediction: readonly number[]): Map<string, Tensor> {
  return new Map([
    ["prediction", tensorFromNumbers("float64", dims, prediction)],
    ["labels", tensorFromNumbers(labelType, labelDims, labels)],
  ]);
}

describe(`losses of PyTorch ${recorded.torch}`, () => {
  it("cover every loss", () => {
    expect([...new Set(recorded.cases.map(({ loss }) => loss))].sort()).toEqual(Object.keys(losses).sort());
  });

  it.each(recorded.cases)("$loss $options", (record) => {
    const built = lossModel(record);
    expect(built.type).toMatchObject({ dtype: record.labelType, dims: record.labelDims });
    const results = evaluate(built.model, feeds(record, record.prediction));
    expect(numbersOf(results.get(built.value)!)[0]).toBeCloseTo(record.value, 12);
    const gradient = numbersOf(results.get(built.gradient)!);
    for (const [i, x] of gradient.entries()) expect(x).toBeCloseTo(record.gradient[i]!, 12);
  });

  it.each(recorded.cases)("$loss $options: gradient against differences", (record) => {
    const built = lossModel(record);
    const at = (numbers: readonly number[]) =>
      numbersOf(evaluate(built.model, feeds(record, numbers)).get(built.value)!)[0]!;
    const gradient = numbersOf(evaluate(built.model, feeds(record, record.prediction)).get(built.gradient)!);
    const direction = record.prediction.map((_, i) => Math.sin(3 * i + 1));
    const along = direction.reduce((sum, d, i) => sum + d * gradient[i]!, 0);
    const moved = (step: number) => at(record.prediction.map((x, i) => x + step * direction[i]!));
    expect((moved(1e-6) - moved(-1e-6)) / 2e-6).toBeCloseTo(along, 7);
  });
});

describe("settings that do not fit", () => {
  it("are refused", () => {
    const prediction = graphBuilder().input("x", "float32", ["batch", "classes"]);
    expect(() => losses.crossEntropy().labels(prediction)).toThrow(/known number of classes/);
    expect(() => losses.crossEntropy({ smoothing: 2 })).toThrow(/smoothing is out of range/);
    expect(() => losses.huber({ delta: 0 })).toThrow(/delta is out of range/);
  });
});
