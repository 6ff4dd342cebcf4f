import { describe, expect, it } from "vitest";
import { UnsupportedError } from "../../errors.ts";
import { type Graph, graphBuilder, isSparse, model, numbersOf, tensor, type Value } from "../../ir/index.ts";
import { builderInference } from "../../ops/index.ts";
import { type Feeds, openSession } from "../../runtime/index.ts";
import { quantizeStatic } from "../index.ts";
import { staticPlan } from "./static-plan.ts";

const numberOf = ({ initializers }: Graph, value: Value | undefined): number => {
  const data = value && initializers.get(value);
  return data && !isSparse(data) ? numbersOf(data)[0]! : Number.NaN;
};

it("values that are joined share the range that holds both", async () => {
  const g = graphBuilder({ infer: builderInference(21) });
  const x = g.input("x", "float32", [1, 1, 1, 2]);
  const conv = (from: Value, name: string, dims: number[], weights: number[]) =>
    g.op("Conv", [from, g.constant(`${name}_w`, tensor("float32", dims, weights))], {}, { name });
  const parts = [conv(x, "small", [1, 1, 1, 1], [1]), conv(x, "large", [1, 1, 1, 1], [-2.5])];
  g.output(conv(g.op("Concat", parts, { axis: 1 }, { name: "joined" }), "last", [1, 2, 1, 1], [1, 1]), "y");
  async function* calibration(): AsyncGenerator<Feeds> {
    yield new Map([["x", tensor("float32", [1, 1, 1, 2], [-1, 2])]]);
  }
  const { model: made } = await quantizeStatic(model(g.build()), {
    open: openSession,
    calibration,
    observer: "min-max",
  });
  const { graph } = made;
  const after = (name: string) => {
    const [output] = graph.nodes.find((node) => node.name === name)!.outputs;
    const { inputs } = graph.nodes.find(
      ({ opType, inputs: [first] }) => opType === "QuantizeLinear" && first === output,
    )!;
    return [numberOf(graph, inputs[1]), numberOf(graph, inputs[2])];
  };
  // −1 to 2 and −5 to 2.5: from −5 to 2.5 in 255 steps, with zero at 170.
  for (const name of ["small", "large", "joined"]) {
    const [scale, zeroPoint] = after(name);
    expect(scale, name).toBeCloseTo(7.5 / 255, 6);
    expect(zeroPoint, name).toBe(170);
  }
});

describe("what is planned for layers that read the input", () => {
  async function* wide(): AsyncGenerator<Feeds> {
    // From 0 to 255 in steps of 1.
    yield new Map([["x", tensor("float32", [1, 2], [0, 255])]]);
  }

  /** Two products with equal weights, in steps of 0.1; the second bias needs steps that are `growth` times as large. */
  const twins = (growth: number) => {
    const g = graphBuilder();
    const x = g.input("x", "float32", [1, 2]);
    const bias = growth * 0.1 * 2 ** 31;
    for (const [name, biases] of Object.entries({ a: [1, 1], b: [bias, bias] })) {
      const weights = g.constant("w", tensor("float32", [2, 2], [12.7, -12.7, 1, 12.7]));
      g.output(g.op("Gemm", [x, weights, g.constant("c", tensor("float32", [2], biases))], {}, { name }));
    }
    return model(g.build());
  };

  it.each([
    [
      1.5,
      [
        ["a", "b"],
        ["a", "b"],
      ],
      1.5,
    ],
    [3, [["a"], ["b"]], 1],
  ] as const)(
    "is one weight for equal ones, unless a bias makes a scale grow to %s times",
    async (growth, groups, first) => {
      const plan = await staticPlan(twins(growth), { open: openSession, calibration: wide });
      expect([...plan.sharing.values()].map((group) => group.map(({ name }) => name))).toEqual(groups);
      const scales = [...plan.schemes.values()].map(({ parameters }) => parameters.map(({ scale }) => scale / 0.1));
      for (const scale of scales[0]!) expect(scale).toBeCloseTo(first, 3);
      for (const scale of scales[1]!) expect(scale).toBeCloseTo(growth, 3);
    },
  );

  it("needs opset 13, from which on scales are per channel", async () => {
    const at = (opset: number) =>
      staticPlan({ ...twins(1), opsets: new Map([["", opset]]) }, { open: openSession, calibration: wide });
    await expect(at(12)).rejects.toThrow(UnsupportedError);
    expect((await at(13)).placement.layers.size).toBe(2);
  });

  it("pads the channels of an input to whole words, unless told not to", async () => {
    const g = graphBuilder();
    const x = g.input("x", "float32", [1, 3, 1, 2]);
    g.output(g.op("Conv", [x, g.constant("w", tensor("float32", [1, 3, 1, 1], [1, 2, 3]))], {}, { name: "stem" }));
    async function* calibration(): AsyncGenerator<Feeds> {
      yield new Map([["x", tensor("float32", [1, 3, 1, 2], [0, 1, 2, 3, 4, 5])]]);
    }
    const typesOf = async (options: { readonly alignChannels?: boolean }) => {
      const { source } = await staticPlan(model(g.build()), { open: openSession, calibration, ...options });
      return source.graph.nodes.map(({ opType }) => opType);
    };
    expect(await typesOf({})).toEqual(["Pad", "Conv"]);
    expect(await typesOf({ alignChannels: false })).toEqual(["Conv"]);
  });
});
