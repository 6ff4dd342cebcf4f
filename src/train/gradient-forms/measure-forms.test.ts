/** @file Each different gradient of a convolution is asked about once, and the table that was measured decides. */
import { describe, expect, it } from "vitest";
import { defaultForms, portableForms } from "../../autodiff/index.ts";
import { random } from "../../data/index.ts";
import { UsageError } from "../../errors.ts";
import { numbersOf, tensorFromNumbers } from "../../ir/index.ts";
import { type LatencyOptions, raceLatency } from "../../measure/index.ts";
import { conv, globalAveragePool, network } from "../../nn/index.ts";
import { openSession } from "../../runtime/index.ts";
import { openReference } from "../../runtime/reference.ts";
import { trainingStep } from "../step/training-step.ts";
import { measuredForms } from "./form-table.ts";
import { measureGradientForms } from "./measure-forms.ts";

/** Two equal convolutions behind a first one, and a last one of one pixel. */
const net = network(random(1), (n) => {
  let y = n.input("input", "float32", ["batch", 3, 8, 8]);
  for (const name of ["first", "second", "third"]) y = n.op("Relu", [conv(n.scope(name), y, 4, { kernel: 3 })]);
  y = conv(n.scope("last"), y, 4, { kernel: 1 });
  n.output(globalAveragePool(n, y), "logits");
});
const training = { loss: "crossEntropy", optimizer: "sgd" } as const;

/** A race in which every form is faster than the one before it. */
function lastWins() {
  const asked: number[] = [];
  return {
    asked,
    race: async (contenders: readonly unknown[]) => {
      asked.push(contenders.length);
      return contenders.map((_, i) => ({ p50: 10 - i }));
    },
  };
}

describe("measureGradientForms", () => {
  it("asks once per side and geometry, and not for the gradient of the pictures", async () => {
    const { asked, race } = lastWins();
    const table = await measureGradientForms(net, { ...training, batch: 2, race });
    const names = table.rows.map(({ side, geometry }) => JSON.stringify([side, geometry]));
    expect(new Set(names).size).toBe(names.length);
    expect(asked).toEqual(table.rows.map(({ times }) => Object.keys(times).length));
    const ofPictures = table.rows.filter(({ geometry }) => geometry.inputs === 3);
    expect(ofPictures.map(({ side }) => side)).toEqual(["weight"]);
    expect(table).toMatchObject({ ep: "cpu", threads: 1, batch: 2 });
    expect(JSON.parse(JSON.stringify(table))).toEqual(table);
  });

  it("gives a step the form that won, with the same next parameters", async () => {
    const { race } = lastWins();
    const table = await measureGradientForms(net, { ...training, batch: 2, race });
    const last = measuredForms(table);
    const [row] = table.rows;
    const order = last.conv[row!.side]({ ...row!.geometry, batch: "batch" });
    expect(order).toEqual(Object.keys(row!.times).toReversed());
    const usual = await nextState();
    const measured = await nextState(last);
    expect(measured.types).not.toEqual(usual.types);
    expect(measured.values.length).toBeGreaterThan(100);
    measured.values.forEach((value, i) => void expect(value).toBeCloseTo(usual.values[i]!, 4));
  });

  it("leaves other operators to the forms that the provider has", () => {
    const formsOn = (ep: "cpu" | "webgpu") => measuredForms({ ep, threads: 1, batch: 1, rows: [] });
    expect(formsOn("cpu").pool).toBe(defaultForms.pool);
    expect(formsOn("webgpu").pool).toBe(portableForms.pool);
  });

  it("keeps the rule of thumb for a geometry that was not measured", () => {
    const forms = measuredForms({ ep: "cpu", threads: 1, batch: 1, rows: [] });
    const two = [2, 2];
    const windows = { kernel: [3, 3], strides: [1, 1], dilations: [1, 1], begin: [1, 1], end: [1, 1] };
    const geometry = { ...windows, batch: 1, group: 1, inputs: 16, outputs: 16, from: two, to: two };
    expect(forms.conv.input(geometry)[0]).toBe("flipped");
  });

  it("times real sessions of every form", async () => {
    const latency = { rounds: 1, warmup: 0, slot: 0 };
    const table = await measureGradientForms(net, { ...training, batch: 1, latency, race: raceLatency });
    for (const { times } of table.rows) {
      expect(Object.keys(times).length).toBeGreaterThan(1);
      for (const time of Object.values(times)) expect(time).toBeGreaterThan(0);
    }
  });

  it("takes half a second and 30 rounds for each, unless it is told otherwise", async () => {
    const measured = async (given: object) => {
      const told: LatencyOptions[] = [];
      const race = async (contenders: readonly unknown[], latency: LatencyOptions) => {
        told.push(latency);
        return contenders.map(() => ({ p50: 1 }));
      };
      await measureGradientForms(net, { ...training, batch: 1, race, open: openReference, ...given });
      return told[0];
    };
    expect(await measured({})).toMatchObject({ seconds: 0.5, rounds: 30 });
    expect(await measured({ latency: { rounds: 3 } })).toMatchObject({ seconds: 0.5, rounds: 3 });
  });

  it("refuses what no step can be made of", async () => {
    await expect(measureGradientForms(net, { ...training, accumulate: 0 })).rejects.toThrow(UsageError);
  });
});

async function nextState(forms?: ReturnType<typeof measuredForms>) {
  const step = trainingStep(net, { ...training, ...(forms && { forms }) });
  const source = random(2);
  const feeds = new Map([
    [
      step.batch[0]!,
      tensorFromNumbers(
        "float32",
        [2, 3, 8, 8],
        Array.from({ length: 384 }, () => source.normal()),
      ),
    ],
    [step.labels!, tensorFromNumbers("int64", [2], [0, 3])],
    [step.learningRate, tensorFromNumbers("float32", [], [0.1])],
    [step.step, tensorFromNumbers("int64", [], [1])],
    ...step.state.map(({ name, initial }) => [name, initial] as const),
  ]);
  await using session = await openSession(step.model, { threads: 1 });
  const result = await session.run(feeds);
  const values = step.state.flatMap(({ output }) => [...numbersOf(result.get(output)!)]);
  return { values, types: step.model.graph.nodes.map(({ opType }) => opType) };
}
