import { expect, it } from "vitest";
import type { Node } from "../ir/index.ts";
import { nodeChoice } from "./selection.ts";

const node = (name: string): Node => ({
  opType: "Relu",
  domain: "",
  name,
  inputs: [],
  outputs: [],
  attributes: new Map(),
});

it("a node stays in floats where it is excluded, or not among those that are included", () => {
  const choice = nodeChoice({ exclude: ["a"], include: ["a", "b"] });
  expect(["a", "b", "c"].map((name) => choice(node(name)))).toEqual([
    "excluded by name",
    undefined,
    "not among the nodes to quantize",
  ]);
  expect(nodeChoice({})(node("a"))).toBeUndefined();
  expect(nodeChoice({ include: [] })(node("a"))).toBe("not among the nodes to quantize");
});
