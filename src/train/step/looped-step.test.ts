import { expect, it } from "vitest";
import { graphBuilder, model, numbersOf, type Tensor, tensorFromNumbers, verify } from "../../ir/index.ts";
import { builderInference } from "../../ops/index.ts";
import { openSession, resideIn } from "../../runtime/index.ts";
import { adamw, loopedStep, type TrainingStep, trainingStep } from "../index.ts";

const STEPS = 5;

function step(): TrainingStep {
  const g = graphBuilder({ infer: builderInference(21) });
  const x = g.input("x", "float32", ["batch", 3]);
  const numbers = [0.3, -0.2, 0.5, 0.1, -0.7, 0.4];
  const y = g.op("MatMul", [x, g.constant("weight", tensorFromNumbers("float32", [3, 2], numbers))]);
  g.output(g.op("Dropout", [g.op("Add", [y, g.constant("bias", tensorFromNumbers("float32", [2], [0, 0]))])]), "y");
  return trainingStep(model(g.build()), { loss: "crossEntropy", optimizer: adamw(), clip: 1 });
}

function feeds(first: number, count: number, stacked: boolean): Map<string, Tensor> {
  const shape = (dims: readonly number[]) => (stacked ? [count, ...dims] : dims);
  const turns = Array.from({ length: count }, (_, i) => first + i);
  const of = (size: number) => turns.flatMap((turn) => Array.from({ length: size }, (_, i) => Math.sin(turn * 7 + i)));
  return new Map([
    ["x", tensorFromNumbers("float32", shape([4, 3]), of(12))],
    [
      "labels",
      tensorFromNumbers(
        "int64",
        shape([4]),
        turns.flatMap((turn) => [0, 1, turn % 2, 1]),
      ),
    ],
    [
      "learning_rate",
      tensorFromNumbers(
        "float32",
        shape([]),
        turns.map((turn) => 0.01 * turn),
      ),
    ],
    ["step", tensorFromNumbers("int64", shape([]), turns)],
    [
      "mask_key",
      tensorFromNumbers(
        "uint32",
        shape([2]),
        turns.flatMap((turn) => [9, turn]),
      ),
    ],
  ]);
}

it("gives bit for bit what the steps give one by one", async () => {
  const single = step();
  const looped = loopedStep(single);
  expect(verify(looped)).toEqual([]);
  const initial = () => new Map(single.state.map(({ name, initial: start }) => [name, start]));
  const next = new Map(single.state.map(({ name, output }) => [name, output]));
  await using one = await openSession(single.model);
  await using many = await openSession(looped);
  const [a, b] = [await resideIn(one, initial(), next), await resideIn(many, initial(), next)];
  const options = { fetches: [single.loss, single.gradientNorm!] };
  const separate = await a.advance(
    Array.from({ length: STEPS }, (_, i) => feeds(i + 1, 1, false)),
    options,
  );
  const parts = [
    ...(await b.advance([feeds(1, 3, true)], options)),
    ...(await b.advance([feeds(4, 2, true)], options)),
  ];
  for (const name of options.fetches) {
    const expected = separate.map((results) => numbersOf(results.get(name)!)[0]!);
    expect(parts.flatMap((results) => Array.from(numbersOf(results.get(name)!)))).toEqual(expected);
  }
  expect(await b.read()).toEqual(await a.read());
});
