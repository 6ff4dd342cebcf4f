/** @file float16 computation made float32, for processors that compute in float32 anyway and for techniques that start from it. */
import { nth } from "../checked.ts";
import {
  type Attribute,
  allNodes,
  type Draft,
  dataTypes,
  editAllGraphs,
  exactBigint,
  type Initializer,
  importingStandard,
  isSparse,
  type Model,
  makeNode,
  type Node,
  namesOf,
  numbersOf,
  type Tensor,
  tensorFromNumbers,
  type Value,
  valuesOf,
  withGraph,
} from "../ir/index.ts";
import { inferenceOf, type Pass } from "../rewrite/index.ts";

const [half, single] = [exactBigint(dataTypes.float16.code), exactBigint(dataTypes.float32.code)];

/** Attributes that name an element type. */
const typeAttributes: ReadonlySet<string> = new Set(["to", "dtype", "output_dtype"]);

/**
 * Approximate: what was rounded to 11 bits at every node is now rounded to 24. Constants keep their values. Inputs and outputs keep
 * their dtypes, with a `Cast` at the border. A model without float16 is left as it is.
 */
export function convertFloat32(): Pass {
  return {
    name: "convert-float32",
    exactness: "approximate",
    run(model) {
      if (!hasHalfWeights(model)) return { model };
      const { types } = inferenceOf(model);
      const isHalf = (value: Value): boolean => {
        const type = types.get(value) ?? value.type;
        return type?.kind === "tensor" && type.dtype === "float16";
      };
      const wide = editAllGraphs(model, (draft) => widenGraph(draft, isHalf));
      return { model: importingStandard(withBorder(model, wide, isHalf)) };
    },
  };
}

function hasHalfWeights(model: Model): boolean {
  if (model.functions.length > 0) return false;
  const initializers = [...model.graph.initializers.values()].some(
    (data) => !isSparse(data) && data.dtype === "float16",
  );
  return initializers || [...allNodes(model)].some((node) => [...node.attributes.values()].some(isHalfTensor));
}

function widenGraph(draft: Draft, isHalf: (value: Value) => boolean): void {
  for (const value of valuesOf(draft.graph)) {
    const data = draft.graph.initializers.get(value);
    if (!isHalf(value) || (!data && draft.graph.inputs.includes(value))) continue;
    if (data) draft.setInitializer(value, widened(data));
    if (value.type?.kind === "tensor") draft.substitute(value, { ...value, type: { ...value.type, dtype: "float32" } });
  }
  for (const node of draft.nodes()) {
    const wide = widenedNode(node);
    if (wide !== node) draft.replaceNode(node, wide);
  }
}

function widened(data: Initializer): Initializer {
  if (isSparse(data)) return { ...data, values: widenTensor(data.values) };
  return widenTensor(data);
}

function widenTensor(data: Tensor): Tensor {
  if (data.dtype !== "float16") return data;
  return { ...data, ...tensorFromNumbers("float32", data.dims, numbersOf(data)) };
}

function isHalfTensor(attribute: Attribute): boolean {
  return attribute.type === "tensor" && attribute.value.dtype === "float16";
}

function widenedNode(node: Node): Node {
  const changed = [...node.attributes].flatMap(([name, attribute]): [string, Attribute][] => {
    if (attribute.type === "tensor" && isHalfTensor(attribute)) {
      return [[name, { type: "tensor", value: widenTensor(attribute.value) }]];
    }
    const isType = attribute.type === "int" && attribute.value === half && typeAttributes.has(name);
    return isType ? [[name, { type: "int", value: single }]] : [];
  });
  return changed.length === 0 ? node : { ...node, attributes: new Map([...node.attributes, ...changed]) };
}

/** Casts behind float16 inputs and before float16 outputs of the main graph. */
function withBorder(before: Model, wide: Model, isHalf: (value: Value) => boolean): Model {
  const { graph } = wide;
  const scope = namesOf(wide);
  const fresh = ({ name }: Value): Value => ({ name: scope.fresh(`${name}_float32`) });
  const casts: Node[] = [];
  const inner = new Map<Value, Value>();
  for (const input of graph.inputs.filter((value) => isHalf(value) && !graph.initializers.has(value))) {
    const value = fresh(input);
    inner.set(input, value);
    casts.push(makeNode("Cast", [input], [value], { name: value.name, attributes: { to: single } }));
  }
  const outputs = new Map<Value, Value>();
  const last: Node[] = [];
  graph.outputs.forEach((output, i) => {
    const declared = nth(before.graph.outputs, i);
    if (!isHalf(declared) || inner.has(output)) return;
    const value = fresh(output);
    outputs.set(output, value);
    last.push(
      makeNode("Cast", [value], [declared], { name: scope.fresh(`${declared.name}_cast`), attributes: { to: half } }),
    );
  });
  const use = (value: Value | undefined): Value | undefined =>
    value && (inner.get(value) ?? outputs.get(value) ?? value);
  const nodes = graph.nodes.map((node) => ({ ...node, inputs: node.inputs.map(use), outputs: node.outputs.map(use) }));
  const declared = graph.outputs.map((output, i) => (outputs.has(output) ? nth(before.graph.outputs, i) : output));
  return withGraph(wide, { ...graph, nodes: [...casts, ...nodes, ...last], outputs: declared });
}
