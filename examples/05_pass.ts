/** Writes a pass of one's own: every Relu becomes a Clip at 6. */
import { graphBuilder, model } from "litheml";
import { editModel, type Model, makeNode, printModel, scalar } from "litheml/ir";
import { checked, type Pass } from "litheml/rewrite";

const capRelu: Pass = {
  name: "cap-relu",
  exactness: "approximate",
  run(before: Model) {
    const after = editModel(before, (draft) => {
      const relus = draft.nodesOfType("Relu");
      if (relus.length === 0) return;
      const low = draft.constant("zero", scalar("float32", 0));
      const high = draft.constant("six", scalar("float32", 6));
      for (const node of relus) draft.replaceNode(node, makeNode("Clip", [node.inputs[0], low, high], node.outputs));
    });
    return { model: after };
  },
};

const g = graphBuilder();
g.output(g.op("Relu", [g.input("x", "float32", ["n", 4])]), "y");
const { model: capped } = await checked(capRelu).run(model(g.build()));
console.log(printModel(capped));
