import { expect, it } from "vitest";
import { type Graph, graphBuilder, tensor, type Value } from "../../ir/index.ts";
import { builderInference } from "../../ops/index.ts";
import { layoutAnchors } from "./layout-anchors.ts";
import { place } from "./placement.ts";

/** stem → Relu → (branch + what it reads) → last, with so many channels. */
function residual(channels: number): Graph {
  const g = graphBuilder({ infer: builderInference(21) });
  const conv = (x: Value, inputs: number, name: string) => {
    const dims = [channels, inputs, 1, 1];
    const weight = tensor("float32", dims, new Float32Array(channels * inputs).fill(0.5));
    return g.op("Conv", [x, g.constant(`${name}_w`, weight)], {}, { name });
  };
  const stem = g.op("Relu", [conv(g.input("x", "float32", [1, 3, 4, 4]), 3, "stem")], {}, { name: "active" });
  const sum = g.op("Add", [conv(stem, channels, "branch"), stem], {}, { name: "sum" });
  g.output(conv(sum, channels, "last"), "y");
  return g.build();
}

function anchorsOf(graph: Graph, exclude: readonly string[]) {
  const float = ({ name }: { name: string }) => (exclude.includes(name) ? "kept" : undefined);
  const placement = place(graph, { float, shareConcat: true, floatTail: true, foldClamps: true });
  return [...layoutAnchors(placement)].map(([{ name }, channels]) => [name, channels]);
}

it("values that a convolution and another integer node read get an anchor of as many channels", () => {
  expect(anchorsOf(residual(8), ["stem"])).toEqual([["active", 8]]);
});

it("values that only convolutions read need no anchor", () => {
  expect(anchorsOf(residual(8), ["stem", "sum"])).toEqual([]);
});

it("wide values get none, since the convolution would cost more than it saves", () => {
  expect(anchorsOf(residual(64), ["stem"])).toEqual([["active", 64]]);
  expect(anchorsOf(residual(65), ["stem"])).toEqual([]);
});
