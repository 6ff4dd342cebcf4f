import { describe, expect, it } from "vitest";
import { type Dataset, datasetOf, random } from "../../data/index.ts";
import { DataError, UsageError } from "../../errors.ts";
import { type Model, tensorFromNumbers } from "../../ir/index.ts";
import { mlp } from "../../models/index.ts";
import { configSchema, type TrainingConfig } from "./training-config.ts";
import { modelOfFile, networkFor, prepared } from "./training-model.ts";

const configOf = (more: object = {}): TrainingConfig => configSchema.parse({ model: "mlp", data: "d.npz", ...more });

/** Four samples of these inputs, of three classes. */
const data = (...names: readonly string[]): Dataset =>
  datasetOf({
    size: 4,
    labels: async () => [0, 1, 2, 0],
    open: () => ({
      read: (i) => ({
        inputs: new Map(names.map((name) => [name, tensorFromNumbers("float32", [2], [i, 1])])),
        label: i % 3,
        source: `${i}`,
      }),
    }),
  });

const dims = ({ graph }: Model) => graph.outputs.map(({ type }) => (type?.kind === "tensor" ? type.dims : undefined));
const network = mlp(random(1), { input: [2], hidden: [5], classes: 4 });

describe("a network by name", () => {
  it("fits samples of one input, and their classes", async () => {
    const made = await networkFor(configOf({ model: { name: "mlp", hidden: [7] } }), data("input"));
    expect(dims(made)).toEqual([["batch", 3]]);
    for (const wrong of [data("x"), data("input", "more")]) {
      await expect(networkFor(configOf(), wrong)).rejects.toThrow(DataError);
      await expect(networkFor(configOf(), wrong)).rejects.toThrow(/samples of one input.*one input called "input"/);
    }
    await expect(networkFor(configOf({ model: "lenet" }), data("input"))).rejects.toThrow(/square pictures.*got \[2\]/);
  });

  it("takes settings within their bounds only", async () => {
    const file = (model: unknown) => modelOfFile(configOf({ model }));
    expect(await file("mlp")).toBeUndefined();
    expect(await file({ name: "mlp", dropout: 0.99 })).toBeUndefined();
    await expect(file({ name: "mlp", dropout: 1 })).rejects.toThrow(/network mlp\.dropout/);
    await expect(file({ name: "resnet", depth: 0 })).rejects.toThrow(/network resnet\.depth/);
    await expect(file({ name: "lenet", depth: 3 })).rejects.toThrow(/expected no settings; got "depth"/);
    await expect(file({ name: "a.onnx", depth: 3 })).rejects.toThrow(UsageError);
  });
});

describe("a model ready for training", () => {
  it("is as it was where nothing is asked for", async () => {
    const { model, options, notes, finish } = await prepared(network, configOf(), data("input"));
    expect([model, options, notes, finish(network)]).toEqual([network, {}, [], { model: network }]);
  });

  it("has a head for the classes of the data, or as many as it is told", async () => {
    const ready = async (head: object, more: object = {}) =>
      prepared(network, configOf({ head, ...more }), data("input"));
    const { model, notes, options } = await ready({});
    expect([dims(model)[0]!.at(-1), options]).toEqual([3, {}]);
    expect(notes).toEqual([expect.stringMatching(/^a new head for 3 classes reads "/)]);
    expect(dims((await ready({ classes: 6 })).model)[0]!.at(-1)).toBe(6);
    expect((await ready({}, { loss: "meanSquaredError" })).notes[0]).toMatch(/^a new head for one number reads/);
  });

  it("trains adapters and the head alone, and ends as a model without them", async () => {
    const config = configOf({ head: {}, lora: { rank: 2 } });
    const { model, options, notes, finish } = await prepared(network, config, data("input"));
    const head = (await prepared(network, configOf({ head: {} }), data("input"))).model;
    const names = options.trainable as readonly string[];
    expect(names.map((name) => name.replace(/_\d+$/, "")).sort()).toEqual([
      "head/bias",
      "head/weight",
      "hidden0/weight.lora_A",
      "hidden0/weight.lora_B",
    ]);
    expect(options.batchNorm).toBe("frozen");
    expect(notes[1]).toBe("1 weights carry adapters of rank 2");
    const { model: merged, adapters: kept } = finish(model);
    expect([...kept!.keys()]).toEqual(expect.arrayContaining([...names]));
    expect([...merged.graph.initializers.keys()].map(({ name }) => name)).toEqual(
      [...head.graph.initializers.keys()].map(({ name }) => name),
    );
  });
});
