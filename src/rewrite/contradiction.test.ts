import { describe, expect, it } from "vitest";
import { graphBuilder, type Model, makeNode, model, tensorType, withGraph } from "../ir/index.ts";
import { type Pass, sequential } from "./index.ts";

function network(): Model {
  const g = graphBuilder();
  const x = g.input("x", "float32", [2, 3]);
  const y = g.op("Relu", [g.op("Neg", [x])]);
  return model({ ...g.build(), outputs: [{ ...y, type: tensorType("float32", [2, 3]) }].map(() => y) });
}

/** A pass that puts `change` in the place of the first node's operator, attributes or inputs. */
function changing(name: string, change: (before: Model) => Model): Pass {
  return { name, exactness: "exact", run: (before) => ({ model: change(before), notes: [] }) };
}

const withNodes = (before: Model, nodes: Model["graph"]["nodes"]): Model =>
  withGraph(before, { ...before.graph, nodes });

const wrong: readonly (readonly [string, (before: Model) => Model])[] = [
  [
    "a type that the operator does not allow",
    (before) =>
      withNodes(
        before,
        before.graph.nodes.map((node) => (node.opType === "Neg" ? { ...node, opType: "Not" } : node)),
      ),
  ],
  [
    "dims that do not fit",
    (before) => {
      const [neg, relu] = before.graph.nodes;
      const perm = makeNode("Transpose", neg!.inputs, neg!.outputs, { attributes: { perm: [0, 0, 1] } });
      return withNodes(before, [perm, relu!]);
    },
  ],
  ["a value that is used before it is made", (before) => withNodes(before, [...before.graph.nodes].reverse())],
  [
    "a name that stands for two nodes",
    (before) =>
      withNodes(
        before,
        before.graph.nodes.map((node) => ({ ...node, name: "same" })),
      ),
  ],
];

describe("a pass in a sequence", () => {
  it.each(wrong)("is left out when it brings about %s", async (_, change) => {
    const before = network();
    const identity = changing("later", (given) => withGraph(given, { ...given.graph, name: "later" }));
    const { model: after, notes = [] } = await sequential("all", [changing("wrong", change), identity]).run(before);
    expect(after.graph.nodes).toBe(before.graph.nodes);
    expect(after.graph.name).toBe("later");
    expect(notes).toMatchObject([{ pass: "wrong", kind: "declined" }]);
    expect(notes[0]!.reason).toMatch(/^left out: /);
  });
});
