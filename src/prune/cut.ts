/** @file The cut: a model without the classes of positions that are taken out, every node stated anew where it has to follow. */
import { nth } from "../checked.ts";
import { UnsupportedError } from "../errors.ts";
import {
  type Dims,
  describeNode,
  editGraph,
  forgetTypes,
  type Graph,
  type Initializer,
  isSparse,
  literalOf,
  type Model,
  mapSubgraphs,
  type Names,
  type Node,
  namesOf,
  type Tensor,
  takePositions,
  type Value,
  withGraph,
} from "../ir/index.ts";
import { type AxisClasses, inferModel, inferShapes, restated, withRestated } from "../ops/index.ts";

/** Positions that stay of an axis, ascending; `undefined` when all do. */
type Kept = (value: Value, axis: number) => readonly number[] | undefined;

/**
 * The model without the classes that `isRemoved` names. Weights lose their positions, attributes and constants that state lengths follow.
 * @throws UnsupportedError for a class that is fixed, for an axis of which nothing would stay, and where a length that is computed while
 * the model runs does not follow.
 */
export function cutClasses(model: Model, classes: AxisClasses, isRemoved: (of: number) => boolean): Model {
  const kept = keptPositions(classes, isRemoved);
  const names = namesOf(model);
  const cut = forgetTypes(withGraph(model, cutGraph(model.graph, classes, kept, names)));
  checkFollowed(model, cut, classes, kept);
  return inferShapes(cut);
}

function keptPositions(classes: AxisClasses, isRemoved: (of: number) => boolean): Kept {
  const known = new Map<Value, Map<number, readonly number[] | undefined>>();
  return (value, axis) => {
    const axes = known.get(value) ?? new Map<number, readonly number[] | undefined>();
    known.set(value, axes);
    if (!axes.has(axis)) axes.set(axis, keptOf(classes.along(value, axis), value, classes, isRemoved));
    return axes.get(axis);
  };
}

function keptOf(
  along: Int32Array | undefined,
  { name }: Value,
  classes: AxisClasses,
  isRemoved: (of: number) => boolean,
): readonly number[] | undefined {
  if (!along) return undefined;
  const kept: number[] = [];
  for (const [place, of] of along.entries()) {
    const reason = isRemoved(of) ? classes.fixed(of) : undefined;
    if (reason !== undefined)
      throw new UnsupportedError("positions that are fixed cannot be cut", { got: reason, where: `value "${name}"` });
    if (!isRemoved(of)) kept.push(place);
  }
  if (kept.length === along.length) return undefined;
  if (kept.length > 0) return kept;
  throw new UnsupportedError("nothing would be left of an axis", { where: `value "${name}"` });
}

function cutGraph(graph: Graph, classes: AxisClasses, kept: Kept, names: Names): Graph {
  const added = new Map<Value, Tensor>();
  const inner = mapSubgraphs(graph, (subgraph) => cutGraph(subgraph, classes, kept, names));
  const nodes = inner.nodes.map((node, i) =>
    cutNode(node, nth(graph.nodes, i), classes, kept, (name, tensor) => {
      const value: Value = { name: names.fresh(name) };
      added.set(value, tensor);
      return value;
    }),
  );
  const initializers = [...graph.initializers].map(([value, data]): [Value, Initializer] => [
    value,
    cutTensor(value, data, kept),
  ]);
  const cut = { ...inner, nodes, initializers: new Map([...initializers, ...added]) };
  return editGraph(
    cut,
    (draft) => {
      for (const [value, data] of cut.initializers) {
        const { type } = value;
        if (type?.kind === "tensor" && data !== graph.initializers.get(value))
          draft.substitute(value, { ...value, type: { ...type, dims: data.dims } });
      }
    },
    names,
  );
}

function cutTensor(value: Value, data: Initializer, kept: Kept): Initializer {
  return isSparse(data)
    ? data
    : takePositions(
        data,
        data.dims.map((_, axis) => kept(value, axis)),
      );
}

/** `node` holds graphs that are cut already, `before` is what the classes know. */
function cutNode(
  node: Node,
  before: Node,
  classes: AxisClasses,
  kept: Kept,
  constant: (name: string, tensor: Tensor) => Value,
): Node {
  const [output] = node.outputs;
  const literal = literalOf(node);
  if (literal && output) {
    const value = takePositions(
      literal,
      literal.dims.map((_, axis) => kept(output, axis)),
    );
    return value === literal ? node : { ...node, attributes: new Map([["value", { type: "tensor", value }]]) };
  }
  const at = (values: readonly (Value | undefined)[]) => (port: number, axis: number) => {
    const value = values[port];
    return value && kept(value, axis);
  };
  const stated = restated(classes.inference.facts(before), { input: at(before.inputs), output: at(before.outputs) });
  return withRestated(node, stated, constant);
}

/** Lengths that inference finds in the result are those that were to stay. */
function checkFollowed(before: Model, after: Model, classes: AxisClasses, kept: Kept): void {
  const { types, problems } = inferModel(after);
  const [problem] = problems;
  if (problem)
    throw new UnsupportedError(`the cut model does not fit together: ${problem.message}`, { where: problem.where });
  for (const [i, node] of before.graph.nodes.entries()) {
    for (const [port, value] of node.outputs.entries()) {
      const made = nth(after.graph.nodes, i).outputs[port];
      const type = made && types.get(made);
      if (value && type?.kind === "tensor") checkLengths(node, value, type.dims ?? [], classes, kept);
    }
  }
}

function checkLengths(node: Node, value: Value, dims: Dims, classes: AxisClasses, kept: Kept): void {
  for (const [axis, length] of dims.entries()) {
    const wanted = kept(value, axis)?.length ?? classes.dimsOf(value)?.[axis];
    if (typeof length !== "number" || typeof wanted !== "number" || length === wanted) continue;
    throw new UnsupportedError("a length does not follow the cut", {
      expected: `${wanted} positions on axis ${axis} of "${value.name}"`,
      got: `${length}`,
      where: describeNode(node),
    });
  }
}
