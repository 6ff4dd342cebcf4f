import { describe, expect, it } from "vitest";
import {
  floatsOf,
  type GraphBuilder,
  graphBuilder,
  intOf,
  isSparse,
  type Model,
  model,
  numbersOf,
  scalar,
  tensor,
  type Value,
} from "../../ir/index.ts";
import { alignChannels } from "./align-channels.ts";

const counted = (dims: readonly number[]) =>
  tensor(
    "float32",
    dims,
    Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, i) => i + 1),
  );

const stored = ({ graph }: Model, name: string) => {
  const found = [...graph.initializers].find(([value]) => value.name === name)?.[1];
  if (!found || isSparse(found)) throw new Error(`no ${name}`);
  return found;
};

const widths = (of: Model) =>
  ["before", "bias", "deep", "after"].map((name) =>
    name === "after" ? stored(of, name).dims[1] : stored(of, name).dims[0],
  );

type Clamp = (g: GraphBuilder, x: Value) => Value;

/** A depthwise convolution of so many channels between two ordinary ones, with clamps between them. */
function chain(
  channels: number,
  clamp: Clamp = (_, x) => x,
  also: (g: GraphBuilder, x: Value) => void = () => undefined,
) {
  const g = graphBuilder();
  const x = g.input("x", "float32", [1, 4, 5, 5]);
  const before = g.constant("before", counted([channels, 4, 1, 1]));
  const first = g.op("Conv", [x, before, g.constant("bias", counted([channels]))], {}, { name: "first" });
  const deep = g.constant("deep", counted([channels, 1, 1, 1]));
  const middle = g.op("Conv", [clamp(g, first), deep], { group: channels }, { name: "middle" });
  g.output(
    g.op("Conv", [clamp(g, middle), g.constant("after", counted([2, channels, 1, 1]))], {}, { name: "last" }),
    "y",
  );
  also(g, x);
  return model(g.build());
}

const clip =
  (low: number | undefined, high: number | undefined): Clamp =>
  (g, x) =>
    g.op("Clip", [
      x,
      ...[low, high].map((value) => (value === undefined ? undefined : g.constant("edge", scalar("float32", value)))),
    ]);

describe("channels of a depthwise convolution", () => {
  it.each([
    [3, 16],
    [15, 16],
    [16, 16],
    [17, 32],
  ])("%d become %d, by zeros at the end", (channels, width) => {
    const aligned = alignChannels(chain(channels), () => true);
    expect(widths(aligned)).toEqual([width, width, width, width]);
    const middle = aligned.graph.nodes.find(({ name }) => name === "middle")!;
    expect(intOf(middle, "group", 1)).toBe(width);
    const rows = (count: number) => Array.from({ length: count }, (_, i) => i + 1);
    const zeros = (count: number) => new Array<number>(count).fill(0);
    const extra = width - channels;
    expect([...floatsOf(stored(aligned, "before"))]).toEqual([...rows(4 * channels), ...zeros(4 * extra)]);
    expect([...floatsOf(stored(aligned, "bias"))]).toEqual([...rows(channels), ...zeros(extra)]);
    expect([...floatsOf(stored(aligned, "deep"))]).toEqual([...rows(channels), ...zeros(extra)]);
    const both = [rows(channels), rows(channels).map((value) => value + channels)];
    expect([...floatsOf(stored(aligned, "after"))]).toEqual(both.flatMap((row) => [...row, ...zeros(extra)]));
  });

  it.each<[string, Clamp, boolean]>([
    ["Relu", (g, x) => g.op("Relu", [x]), true],
    ["Clip without an end", clip(undefined, undefined), true],
    ["Clip from 0 to 6", clip(0, 6), true],
    ["Clip from −1 to 0", clip(-1, 0), true],
    ["Clip from 1 up", clip(1, undefined), false],
    ["Clip up to −1", clip(undefined, -1), false],
    ["Sigmoid", (g, x) => g.op("Sigmoid", [x]), false],
  ])("are widened through %s only where zero stays zero", (_, clamp, widened) => {
    expect(widths(alignChannels(chain(3, clamp), () => true))[2]).toBe(widened ? 16 : 3);
  });

  it.each(["before", "deep", "after"])("stay where another node reads the weight %s", (name) => {
    const source = chain(3);
    const [weight] = [...source.graph.initializers.keys()].filter((value) => value.name === name);
    const other = { ...source.graph.nodes[0]!, name: "other", opType: "Neg", attributes: new Map() };
    const seen = { name: "seen" };
    const nodes = [...source.graph.nodes, { ...other, inputs: [weight], outputs: [seen] }];
    const shared = { ...source, graph: { ...source.graph, nodes, outputs: [...source.graph.outputs, seen] } };
    expect(widths(alignChannels(shared, () => true))).toEqual([3, 3, 3, 3]);
  });

  it.each(["first", "middle", "last"])("stay where %s is to stay in floats", (stays) => {
    expect(widths(alignChannels(chain(3), ({ name }) => name !== stays))).toEqual([3, 3, 3, 3]);
  });

  it("stay where something else reads what is between", () => {
    const source = chain(3, (g, x) => {
      g.output(g.op("Neg", [x]));
      return x;
    });
    expect(widths(alignChannels(source, () => true))).toEqual([3, 3, 3, 3]);
  });
});

describe("channels of an input", () => {
  function stem(channels: number, group = 1) {
    const g = graphBuilder();
    const x = g.input("x", "float32", [1, channels * group, 5, 5]);
    g.output(
      g.op("Conv", [x, g.constant("w", counted([2 * group, channels, 1, 1]))], { group }, { name: "stem" }),
      "y",
    );
    return model(g.build());
  }

  it.each([
    [1, 4],
    [3, 4],
    [5, 8],
  ])("%d become %d, by zeros behind the others", (channels, width) => {
    const { graph } = alignChannels(stem(channels), () => true);
    expect(graph.nodes.slice(0, 2).map(({ opType }) => opType)).toEqual(["Pad", "Conv"]);
    const [pad] = graph.nodes;
    const [pads, value] = [pad!.inputs[1]!, pad!.inputs[2]!].map((input) => graph.initializers.get(input)!);
    expect([...numbersOf(pads as Parameters<typeof numbersOf>[0])]).toEqual([0, 0, 0, 0, 0, width - channels, 0, 0]);
    expect([...numbersOf(value as Parameters<typeof numbersOf>[0])]).toEqual([0]);
    const weights = [...floatsOf(stored({ graph } as Model, "w"))];
    expect(weights).toHaveLength(2 * width);
    expect(weights.slice(width, width + channels)).toEqual(
      Array.from({ length: channels }, (_, i) => channels + i + 1),
    );
    expect(weights.slice(channels, width)).toEqual(new Array(width - channels).fill(0));
  });

  it("stay where they fill words already, in groups, and where the convolution stays in floats", () => {
    for (const [source, wanted] of [
      [stem(4), true],
      [stem(3, 2), true],
      [stem(3), false],
    ] as const) {
      expect(alignChannels(source, () => wanted).graph).toBe(source.graph);
    }
  });
});
