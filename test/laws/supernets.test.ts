/** @file A supernet of widths is, for every choice, the cut network with the weights that it has for that choice. */
import { describe, expect, it } from "vitest";
import { random } from "../../src/data/index.ts";
import { int64s, type Model, numbersOf, type Tensor, tensorFromNumbers, verify } from "../../src/ir/index.ts";
import { loadModel } from "../../src/onnx/files.ts";
import { upgradeOpset } from "../../src/passes/index.ts";
import { type Choice, untrained, type WidthSupernet, widthSupernet } from "../../src/prune/index.ts";
import { evaluate } from "../../src/reference/index.ts";
import { sequential } from "../../src/rewrite/index.ts";
import { openSession } from "../../src/runtime/index.ts";
import { sgd, trainingStep } from "../../src/train/index.ts";
import { describeShared, sharedPath } from "../shared.ts";
import { type SmallNetwork, sampleOf, smallNetworks } from "../small-networks.ts";

type Values = ReadonlyMap<string, Tensor>;

/** The widest, the narrowest and two that are drawn. */
function choicesOf({ options }: WidthSupernet): Choice[] {
  const draws = random(4, 1);
  const drawn = () => options.map((count) => draws.below(count));
  return [options.map(() => 0), options.map((count) => count - 1), drawn(), drawn()];
}

function expectSame(a: Values, b: Values, tolerance: number): void {
  for (const [name, tensor] of a) {
    const [x, y] = [numbersOf(tensor), numbersOf(b.get(name)!)];
    expect(b.get(name)!.dims).toEqual(tensor.dims);
    const scale = y.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-6);
    for (const [i, value] of x.entries()) expect(Math.abs(value - y[i]!) / scale).toBeLessThan(tolerance);
  }
}

const scales = [0.2, 0.5, 0.75, 1];

/** Loss and prediction of one step, over the batch. */
function stepped(model: Model, entry: SmallNetwork, further: Values): Values {
  const step = trainingStep(model, { loss: "crossEntropy", optimizer: sgd(), dropout: "off" });
  const labels = tensorFromNumbers("int64", entry.labelDims, new Array<number>(entry.labelDims[0]!).fill(1));
  const state = step.state.map(({ name, initial }): [string, Tensor] => [name, initial]);
  const feeds = new Map<string, Tensor>([
    ...state,
    [entry.input, sampleOf(entry)],
    [step.labels!, labels],
    [step.learningRate, tensorFromNumbers("float32", [], [0])],
    [step.step, tensorFromNumbers("int64", [], [1])],
    ...further,
  ]);
  const results = evaluate(step.model, feeds);
  return new Map([step.loss, step.prediction].map((name, i) => [String(i), results.get(name)!]));
}

const classifiers = ["mlp", "lenet", "resnet", "imagenetResnet", "paraResnet"] as const;

const [whole, open] = [true, false].map((isWhole) =>
  Object.entries(smallNetworks).filter(([, entry]) => (entry.whole !== undefined) === isWhole),
);

it.each(whole!)("%s has no supernet", (_, entry) => {
  expect(() => widthSupernet(entry.make(1), { scales, seed: 2 })).toThrow(/no layer of the model has widths/);
});

describe.each(open!)("the supernet of %s", (name, entry) => {
  const supernet = widthSupernet(entry.make(1), { scales, seed: 2 });
  const networks = supernet.networks(supernet.model);
  const feeds = new Map([[entry.input, sampleOf(entry)]]);

  it("is valid, and every choice is an ordinary network of its own", () => {
    expect(verify(supernet.model)).toEqual([]);
    const [widest, narrowest] = choicesOf(supernet);
    expect(verify(networks(narrowest!))).toEqual([]);
    const size = ({ graph }: Model) =>
      [...graph.initializers.values()].reduce(
        (sum, { dims }) => sum + dims.reduce((product, dim) => product * dim, 1),
        0,
      );
    expect(size(networks(narrowest!))).toBeLessThan(size(networks(widest!)));
  });

  it("is that network with its generated weights, at inference", () => {
    for (const choice of choicesOf(supernet)) {
      const masked = evaluate(supernet.model, new Map([...feeds, [supernet.input, int64s(choice)]]));
      expectSame(evaluate(networks(choice), feeds), masked, 1e-5);
    }
  });

  it.runIf((classifiers as readonly string[]).includes(name))("is that network in training, over the batch", () => {
    for (const choice of choicesOf(supernet).slice(1, 3)) {
      const masked = stepped(supernet.model, entry, new Map([[supernet.input, int64s(choice)]]));
      expectSame(stepped(networks(choice), entry, new Map()), masked, 1e-4);
    }
  });
});

/** Networks whose channels can be chosen. */
const shared = ["cifar10-resnet20", "mcunet-320kb", "squeezenet1.1"];

describeShared("the supernet of shared", () => {
  it.each(shared)("%s is the cut network on ONNX Runtime", async (file) => {
    const given = await loadModel(sharedPath(`models/${file}.onnx`));
    const upgraded = await sequential("target", [upgradeOpset()]).run(given);
    // Statistics of trained weights make new ones explode, and rounding with them.
    const model = untrained(upgraded.model, 1);
    const supernet = widthSupernet(model, { scales: [0.25, 0.5, 1], hidden: 4 });
    expect(supernet.widths.length).toBeGreaterThan(5);
    const draws = random(3, 1);
    const [input] = model.graph.inputs.filter((value) => !model.graph.initializers.has(value));
    if (input?.type?.kind !== "tensor") throw new Error("no tensor");
    const dims = input.type.dims!.map((dim) => (typeof dim === "number" ? dim : 1));
    const size = dims.reduce((product, dim) => product * dim, 1);
    const x = tensorFromNumbers(
      "float32",
      dims,
      Array.from({ length: size }, () => draws.normal()),
    );
    const choice = supernet.options.map((count) => draws.below(count));
    await using masked = await openSession(supernet.model);
    await using cut = await openSession(supernet.networks(supernet.model)(choice));
    const whole = await masked.run(
      new Map([
        [input.name, x],
        [supernet.input, int64s(choice)],
      ]),
    );
    expectSame(await cut.run(new Map([[input.name, x]])), whole, 1e-4);
  });
});

describe("what is trained of a supernet", () => {
  const supernet = widthSupernet(smallNetworks.resnet.make(1), { scales });
  const step = trainingStep(supernet.model, { loss: "crossEntropy", optimizer: sgd() });
  const parameters = step.state.filter(({ kind }) => kind === "parameter");

  it("are generators and rows: no weight of the original that a choice decides over is left", () => {
    const original = new Set([...smallNetworks.resnet.make(1).graph.initializers.keys()].map(({ name }) => name));
    const left = parameters.flatMap(({ of }) => (of !== undefined && original.has(of) ? [of] : []));
    expect(left).toEqual(["head/bias"]);
    const made = parameters.filter(({ of }) => of !== undefined && !original.has(of));
    expect(made.length).toBeGreaterThan(20);
    expect(made.every(({ of }) => /(first|second)\/(weight|bias)$|rows$/.test(of!))).toBe(true);
  });

  it("changes in a step where the choice reaches it: generators, and the rows of the counts that are chosen", () => {
    const choice = supernet.options.map((count, place) => (place % 2 === 0 ? 0 : count - 1));
    const entry = smallNetworks.resnet;
    const feeds = new Map<string, Tensor>([
      ...step.state.map(({ name, initial }): [string, Tensor] => [name, initial]),
      [entry.input, sampleOf(entry)],
      [supernet.input, int64s(choice)],
      [step.labels!, tensorFromNumbers("int64", [6], [0, 1, 2, 0, 1, 2])],
      [step.learningRate, tensorFromNumbers("float32", [], [0.1])],
      [step.step, tensorFromNumbers("int64", [], [1])],
    ]);
    const results = evaluate(step.model, feeds);
    const changed = (name: string, output: string): boolean[] => {
      const [before, after] = [numbersOf(feeds.get(name)!), numbersOf(results.get(output)!)];
      return [...before].map((x, i) => x !== after[i]);
    };
    for (const { name, output, of } of parameters) {
      const own = changed(name, output);
      expect(own.some(Boolean), of).toBe(true);
      if (!of!.endsWith("rows")) continue;
      const { initial } = step.state.find((state) => state.name === name)!;
      const length = own.length / initial.dims[0]!;
      const rows = Array.from({ length: initial.dims[0]! }, (_, i) =>
        own.slice(i * length, (i + 1) * length).some(Boolean),
      );
      expect(rows.filter(Boolean), of).toHaveLength(1);
    }
  });
});
