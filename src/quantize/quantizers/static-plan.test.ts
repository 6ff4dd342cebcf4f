import { expect, it } from "vitest";
import { type Graph, graphBuilder, isSparse, model, numbersOf, tensor, type Value } from "../../ir/index.ts";
import { builderInference } from "../../ops/index.ts";
import { type Feeds, openSession } from "../../runtime/index.ts";
import { quantizeStatic } from "../index.ts";

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
