import { describe, expect, it } from "vitest";
import { editModel, type Graph, graphBuilder, int64s, type Model, makeNode, model, verify } from "./index.ts";

function network(): Model {
  const g = graphBuilder();
  const x = g.input("x", "float32", [2]);
  g.output(g.op("Neg", [g.op("Abs", [x], {}, { name: "a" })], {}, { name: "a_1" }), "y");
  return model(g.build());
}

const nodeNames = ({ nodes }: Graph): string[] => nodes.map(({ name }) => name);

describe("a draft", () => {
  it("gives added nodes whose name is taken another one, and leaves the others alone", () => {
    const after = editModel(network(), (draft) => {
      for (const node of draft.graph.nodes) {
        const between = draft.value("between");
        const [output] = node.outputs;
        draft.replaceNode(
          node,
          { ...node, outputs: [between] },
          makeNode("Identity", [between], [output], { name: "a" }),
        );
      }
    });
    expect(verify(after)).toEqual([]);
    expect(nodeNames(after.graph)).toEqual(["a", "a_2", "a_1", "a_3", "y", "a_4"]);
  });

  it("gives added values whose name is taken another one; outputs keep theirs", () => {
    const after = editModel(network(), (draft) => {
      const [first] = draft.graph.nodes;
      const twin = { name: "y" };
      draft.insertBefore(first!, makeNode("Neg", first!.inputs, [twin], { name: "twin" }));
      draft.replaceNode(first!, makeNode("Abs", [twin], first!.outputs, { name: "a" }));
      draft.setInitializer({ name: "x" }, int64s([1]));
    });
    expect(verify(after)).toEqual([]);
    expect(after.graph.outputs.map(({ name }) => name)).toEqual(["y"]);
    expect(after.graph.inputs.map(({ name }) => name)).toEqual(["x"]);
  });
});
