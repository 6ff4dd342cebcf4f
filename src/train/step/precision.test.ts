import { describe, expect, it } from "vitest";
import { random } from "../../data/index.ts";
import { dataTypes, type Model, numbersOf, type Tensor, tensor, tensorFromNumbers, verify } from "../../ir/index.ts";
import { batchNorm, conv, dropout, globalAveragePool, layerNorm, linear, network } from "../../nn/index.ts";
import { openSession } from "../../runtime/index.ts";
import { type TrainingStep, trainingStep } from "../index.ts";

/** With batch statistics, dropout and layers whose sums want float32. */
function pictures(): Model {
  return network(random(1), (n) => {
    const x = n.input("x", "float32", ["batch", 1, 8, 8]);
    const filtered = batchNorm(n.scope("norm"), conv(n.scope("conv"), x, 8, { kernel: 3 }));
    const pooled = globalAveragePool(n, conv(n.scope("second"), n.op("Relu", [filtered]), 8, { kernel: 3 }));
    const hidden = n.op("Gelu", [layerNorm(n.scope("layernorm"), linear(n.scope("hidden"), pooled, 16))]);
    n.output(linear(n.scope("head"), dropout(n, hidden, 0.1), 3), "logits");
  });
}

const common = { loss: "crossEntropy", optimizer: "adamw", clip: 1 } as const;
const scaled = { ...common, precision: "float16", lossScale: { initial: 1024, every: 5 } } as const;

function batch(step: TrainingStep, number: number): Map<string, Tensor> {
  const source = random(7, number);
  const labels = Array.from({ length: 12 }, (_, i) => i % 3);
  const pixels = labels.flatMap((label) => Array.from({ length: 64 }, () => source.normal() + label));
  return new Map([
    ["x", tensorFromNumbers("float32", [12, 1, 8, 8], pixels)],
    [step.labels!, tensorFromNumbers("int64", [12], labels)],
    [step.learningRate, tensor("float32", [], [0.01])],
    [step.step, tensorFromNumbers("int64", [], [number])],
    [step.maskKey!, tensorFromNumbers("uint32", [2], [3, number])],
  ]);
}

type State = Map<string, Tensor>;

function start(step: TrainingStep): State {
  return new Map(step.state.map(({ name, initial }) => [name, initial]));
}

/** Steps from `first` on; the losses and the state behind them. */
async function run(
  step: TrainingStep,
  from: State,
  first: number,
  count: number,
): Promise<{ losses: number[]; state: State }> {
  await using session = await openSession(step.model);
  let state = from;
  const losses: number[] = [];
  for (let i = first; i < first + count; i++) {
    const results = await session.run(new Map([...state, ...batch(step, i)]));
    losses.push(numbersOf(results.get(step.loss)!)[0]!);
    state = new Map(step.state.map(({ name, output }) => [name, results.get(output)!]));
  }
  return { losses, state };
}

describe("float16", () => {
  it("computes products in float16 forwards and backwards, and keeps float32 outside and in the state", () => {
    const step = trainingStep(pictures(), scaled);
    expect(verify(step.model)).toEqual([]);
    const { inputs, outputs, nodes } = step.model.graph;
    const dtypes = [...inputs, ...outputs].map(({ type }) => type?.kind === "tensor" && type.dtype);
    expect(dtypes).not.toContain("float16");
    const dtypesOf = (opType: string) =>
      new Set(
        nodes
          .filter((node) => node.opType === opType)
          .map(({ outputs: [y] }) => y?.type?.kind === "tensor" && y.type.dtype),
      );
    expect([...dtypesOf("Conv")]).toEqual(["float16"]);
    expect([...dtypesOf("BatchNormalization")]).toEqual(["float32"]);
    expect([...dtypesOf("LayerNormalization")]).toEqual(["float32"]);
    const halves = nodes.filter(({ opType, attributes }) => {
      const to = attributes.get("to");
      return opType === "Cast" && to?.type === "int" && Number(to.value) === dataTypes.float16.code;
    });
    expect(halves.length).toBeGreaterThan(8);
    expect(step.state.every(({ initial }) => initial.dtype === "float32")).toBe(true);
  });

  it("follows float32", async () => {
    const [single, half] = [trainingStep(pictures(), common), trainingStep(pictures(), scaled)];
    const [a, b] = [await run(single, start(single), 1, 12), await run(half, start(half), 1, 12)];
    expect(a.losses.at(-1)!).toBeLessThan(0.8 * a.losses[0]!);
    for (const [i, loss] of a.losses.entries()) expect(Math.abs(b.losses[i]! / loss - 1)).toBeLessThan(0.01);
    expect(b.losses).not.toEqual(a.losses);
    expect(numbersOf(b.state.get("loss_scale")!)[0]).toBe(4096);
  });

  it("goes on from its state bit for bit", async () => {
    const step = trainingStep(pictures(), scaled);
    const whole = await run(step, start(step), 1, 6);
    const half = await run(step, start(step), 1, 3);
    const rest = await run(step, half.state, 4, 3);
    expect(rest.losses).toEqual(whole.losses.slice(3));
    for (const [name, value] of whole.state) expect(numbersOf(rest.state.get(name)!)).toEqual(numbersOf(value));
  });
});

it("bfloat16 is refused by name", () => {
  expect(() => trainingStep(pictures(), { ...common, precision: "bfloat16" })).toThrow(/no bfloat16 kernels/);
});
