import { describe, expect, it } from "vitest";
import { moons, network, options } from "../../test/moons.ts";
import { type Dataset, mapSamples, type Sample } from "../data/index.ts";
import { DataError } from "../errors.ts";
import { tensorFromNumbers } from "../ir/index.ts";
import { crossEntropy, evaluateModel, type FitOptions, fit, type LossName, losses } from "./index.ts";

/** The moons with another label at one sample; with `told` as labels that can be read without the samples. */
function mislabelled(label: number, told: boolean): Dataset {
  const wrong = (sample: Sample, i: number): Sample => (i === 5 ? { ...sample, label } : sample);
  const data = mapSamples(moons(16, 1), wrong);
  const labels = async () => (await moons(16, 1).labels!()) as ArrayLike<number>;
  return told ? { ...data, labels: async () => Array.from(await labels(), (l, i) => (i === 5 ? label : l)) } : data;
}

const training = (overrides: Partial<FitOptions>) =>
  fit(network(), { ...options(), epochs: 1, batch: 4, ...overrides }).result;

describe("labels that are no classes", () => {
  it.each([-1, 0.5, Number.NaN, -100, 2])("%s ends training before it begins, with the sample", async (label) => {
    let steps = 0;
    const run = fit(network(), { ...options(), epochs: 1, batch: 4, data: mislabelled(label, true) });
    run.result.catch(() => undefined);
    await expect(
      (async () => {
        for await (const { type } of run) if (type === "step") steps++;
        await run.result;
      })(),
    ).rejects.toThrow(/a label is no class; expected a whole number from 0 to 1;.*at sample/);
    expect(steps).toBe(0);
  });

  it("are met in batches where they cannot be told without them, and in data to evaluate on before the first step", async () => {
    await expect(training({ data: mislabelled(-1, false) })).rejects.toThrow(DataError);
    await expect(training({ evaluate: { data: mislabelled(2, true) } })).rejects.toThrow(/got 2; at sample/);
    const judged = evaluateModel(network(), { data: mislabelled(-1, false), loss: "crossEntropy" });
    await expect(judged).rejects.toThrow(/got -1; at sample/);
  });

  it("may count for nothing when the loss says so, in its metrics too", async () => {
    const loss = crossEntropy({ ignoreIndex: -100 });
    const measured = await evaluateModel(network(), { data: mislabelled(-100, true), loss, metrics: ["accuracy"] });
    const plain = await evaluateModel(network(), { data: moons(16, 1), loss, metrics: ["accuracy"] });
    expect(measured.accuracy! * 15).toBeCloseTo(Math.round(measured.accuracy! * 15), 9);
    expect(plain.accuracy! * 16).toBeCloseTo(Math.round(plain.accuracy! * 16), 9);
  });

  it("are refused as an input of the samples, with their position", async () => {
    const data = mapSamples(moons(8, 1), (sample, i) => ({
      ...sample,
      inputs: new Map([...sample.inputs, ["target", tensorFromNumbers("int64", [], [i === 3 ? -100 : 0])]]),
    }));
    await expect(training({ data, labels: "target" })).rejects.toThrow(/got -100.*ignoreIndex/);
  });
});

it.each(Object.keys(losses) as LossName[])("%s says what its labels are", (name) => {
  expect(losses[name]().reads).toBeDefined();
});
