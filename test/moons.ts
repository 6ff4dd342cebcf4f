/** @file A tiny task for tests of the trainer: points of two classes in the plane, and a network with all that has state. */
import { datasetOf, random } from "../src/data/index.ts";
import { float, graphBuilder, type Model, model, sizeOf, tensorFromNumbers, type Value } from "../src/ir/index.ts";
import { builderInference } from "../src/ops/index.ts";
import { adamw, type FitOptions } from "../src/train/index.ts";

/** Two interleaved half circles with noise. */
export function moons(size: number, seed: number) {
  return datasetOf({
    size,
    labels: async () => Float64Array.from({ length: size }, (_, i) => i % 2),
    open: () => ({
      read(position) {
        const source = random(seed, position);
        const label = position % 2;
        const angle = Math.PI * source.uniform();
        const [x, y] = label === 0 ? [Math.cos(angle), Math.sin(angle)] : [1 - Math.cos(angle), 0.5 - Math.sin(angle)];
        const noisy = [x + 0.1 * source.normal(), y + 0.1 * source.normal()];
        return { inputs: new Map([["x", tensorFromNumbers("float32", [2], noisy)]]), label, source: `${position}` };
      },
    }),
  });
}

/** 2 → 16 → 2 with batch statistics and dropout. */
export function network(): Model {
  const g = graphBuilder({ infer: builderInference(21) });
  const source = random(3);
  const weight = (name: string, dims: readonly number[], value?: number): Value =>
    g.constant(
      name,
      tensorFromNumbers(
        "float32",
        dims,
        Array.from({ length: sizeOf(dims) }, () => value ?? 0.7 * source.normal()),
      ),
    );
  const x = g.input("x", "float32", ["batch", 2]);
  const hidden = g.op("Add", [g.op("MatMul", [x, weight("w1", [2, 16])]), weight("b1", [16], 0)]);
  const statistics = [
    weight("scale", [16], 1),
    weight("shift", [16], 0),
    weight("mean", [16], 0),
    weight("var", [16], 1),
  ];
  const normal = g.op("BatchNormalization", [hidden, ...statistics], { epsilon: float(1e-5), momentum: float(0.9) });
  const ratio = g.constant("ratio", tensorFromNumbers("float32", [], [0.1]));
  const dropped = g.op("Dropout", [g.op("Relu", [normal]), ratio]);
  g.output(g.op("Add", [g.op("MatMul", [dropped, weight("w2", [16, 2])]), weight("b2", [2], 0)]), "logits");
  return model(g.build());
}

/** Options of a run whose every kind of state matters. */
export function options(): FitOptions {
  return {
    data: moons(80, 1),
    epochs: 6,
    batch: 16,
    learningRate: 0.1,
    schedule: "cosine",
    loss: "crossEntropy",
    optimizer: adamw(),
    clip: 1,
    average: 0.5,
    accumulate: 2,
    seed: 5,
    evaluate: { data: moons(40, 2), metrics: ["accuracy"] },
  };
}
