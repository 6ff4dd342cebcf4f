import { expect, it } from "vitest";
import { network } from "../../../test/moons.ts";
import { namesOf, verify, withGraph } from "../../ir/index.ts";
import { inferShapes } from "../../ops/index.ts";
import { forwardPart } from "./forward.ts";

it("is a whole graph: the data, the labels, the key of the masks, parameters and statistics are its inputs", () => {
  const typed = inferShapes(network());
  const { graph, after } = forwardPart(typed.graph, { loss: "crossEntropy", optimizer: "sgd" }, namesOf(typed));
  const names = graph.inputs.map(({ name }) => name);
  expect(names.slice(0, 3)).toEqual(["x", "labels", "mask_key"]);
  expect(names.slice(3).sort()).toEqual(["b1", "b2", "mean", "scale", "shift", "var", "w1", "w2"]);
  const initializers = new Map([...graph.initializers, ...after.raw.initializers]);
  expect(verify(withGraph(typed, { ...graph, initializers }))).toEqual([]);
});
