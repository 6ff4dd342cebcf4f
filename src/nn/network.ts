/** @file Defining networks: a scoped builder that makes parameters with their initial values. */
import { ShapeError, UsageError } from "../errors.ts";
import {
  allGraphs,
  type DataType,
  type Dims,
  type Formulas,
  formulas,
  type Graph,
  type GraphBuilder,
  graphAttribute,
  graphBuilder,
  int64s,
  type Like,
  type Model,
  model,
  namesOf,
  type Operators,
  opsetOf,
  scalar,
  TARGET_OPSET,
  type Tensor,
  tensor,
  type Value,
  valuesOf,
  withGraph,
} from "../ir/index.ts";
import { builderInference, inferShapes } from "../ops/index.ts";
import type { Initialiser } from "./initialisers.ts";
import type { RandomSource } from "./random-source.ts";

/** Networks import version 1 of the domains of operators beside that of ONNX. */
export interface Layers extends Operators<never>, Pick<GraphBuilder, "like">, Formulas {
  input(name: string, dtype: DataType, dims: Dims): Value;
  /** A trainable float32 tensor. Its name is unique under the scope. */
  parameter(name: string, dims: readonly number[], initial: Initialiser): Value;
  /** An initializer that no gradient trains: a running statistic. */
  statistic(name: string, value: Tensor): Value;
  /** A `Constant` node, which is part of the formula and never taken for a parameter: a mask, a table of sines. */
  constant(name: string, value: Tensor): Value;
  /** A constant scalar, float32 unless another dtype is named. */
  number(x: number, like?: Like): Value;
  /** The same builder under a longer prefix: `block1/`. */
  scope(name: string): Layers;
  /** The prefix of names: `block1/`, or nothing. */
  readonly path: string;
  /**
   * An `If`: the result of one of two parts, of which only that one is computed. Parameters that the parts make belong to the whole
   * network.
   */
  when(condition: Value, then: (n: Layers) => Value, otherwise: (n: Layers) => Value): Value;
  /**
   * A `Scan` along axis 1, that of time: `step` sees the states and one element of each sequence, and gives the next states and what is
   * stacked along axis 1 of the results. Parameters that it makes belong to the whole network.
   */
  scan(states: readonly Value[], sequences: readonly Value[], step: ScanStep): Scanned;
  output(value: Value, name: string): void;
}

/** States, and values of this step alone. */
export interface Scanned {
  readonly states: readonly Value[];
  readonly results: readonly Value[];
}

export type ScanStep = (n: Layers, states: readonly Value[], elements: readonly Value[]) => Scanned;

/**
 * Builds a model of opset 21. Initial values are drawn in the order in which parameters are made, so the same source
 * gives the same model.
 */
export function network(source: RandomSource, build: (n: Layers) => void): Model {
  const g = graphBuilder({ infer: builderInference(TARGET_OPSET) });
  build(layersOver(g, source));
  const graph = g.build();
  return model(graph, { opsets: importsOf(graph, new Map([["", TARGET_OPSET]])) });
}

/** What is imported, and version 1 of every other domain that the graph's nodes are from. */
function importsOf(graph: Graph, imported: ReadonlyMap<string, number>): ReadonlyMap<string, number> {
  const opsets = new Map(imported);
  for (const { nodes } of allGraphs(graph)) {
    for (const { domain } of nodes) if (domain !== "" && !opsets.has(domain)) opsets.set(domain, 1);
  }
  return opsets;
}

/** The same for a part of a graph that `g` builds; `path` is the prefix that `g` puts before names. */
export function layersInto(g: GraphBuilder, source: RandomSource, path = ""): Layers {
  return layersOver(g, source, g, path);
}

/**
 * The model with more nodes, parameters and outputs behind those that it has. `build` finds the values of the model by name, with
 * their types.
 *
 * @throws UsageError for a model of another opset, and where `build` asks for a value that is not there.
 */
export function extend(
  base: Model,
  source: RandomSource,
  build: (n: Layers, value: (name: string) => Value) => void,
): Model {
  if (opsetOf(base) !== TARGET_OPSET) {
    throw new UsageError("only a model of lithe's opset can be extended", {
      expected: `opset ${TARGET_OPSET}`,
      got: `opset ${opsetOf(base)}`,
      hint: "Run the pass upgradeOpset first.",
    });
  }
  const typed = inferShapes(base);
  const { graph } = typed;
  const byName = new Map([...valuesOf(graph)].map((value) => [value.name, value]));
  const g = graphBuilder({ names: namesOf(typed), infer: builderInference(TARGET_OPSET) });
  build(layersOver(g, source), (name) => {
    const value = byName.get(name);
    if (value) return value;
    throw new UsageError("the model has no value of this name", { got: JSON.stringify(name) });
  });
  const added = g.build();
  const extended = withGraph(typed, {
    ...graph,
    inputs: [...graph.inputs, ...added.inputs],
    outputs: [...graph.outputs, ...added.outputs],
    nodes: [...graph.nodes, ...added.nodes],
    initializers: new Map([...graph.initializers, ...added.initializers]),
  });
  return { ...extended, opsets: importsOf(extended.graph, extended.opsets) };
}

/** `outer` holds parameters; it is another builder than `g` within a part of an `If`. */
function layersOver(g: GraphBuilder, source: RandomSource, outer = g, path = ""): Layers {
  const part = (build: (n: Layers) => Value) => {
    const inner = g.subgraph();
    inner.output(inner.op("Identity", [build(layersOver(inner, source, outer, path))]));
    return graphAttribute(inner.build("part"));
  };
  const scan: Layers["scan"] = (states, sequences, step) => {
    const inner = g.subgraph();
    const input = (name: string, like: Value, dims: Dims) => inner.input(name, dtypeOf(like), dims);
    const before = states.map((value) => input("state", value, dimsOf(value)));
    const elements = sequences.map((value) => input("element", value, dimsOf(value).toSpliced(1, 1)));
    const made = step(layersOver(inner, source, outer, path), before, elements);
    if (made.states.length !== states.length) {
      throw new UsageError("a step gives as many states as it takes", {
        expected: String(states.length),
        got: String(made.states.length),
      });
    }
    for (const value of [...made.states, ...made.results]) inner.output(inner.op("Identity", [value]));
    const outputs = g.ops("Scan", [...states, ...sequences], made.states.length + made.results.length, {
      body: graphAttribute(inner.build("step")),
      num_scan_inputs: sequences.length,
      scan_input_axes: sequences.map(() => 1),
      ...(made.results.length > 0 && { scan_output_axes: made.results.map(() => 1) }),
    });
    return { states: outputs.slice(0, states.length), results: outputs.slice(states.length) };
  };
  const words = formulas({
    op: g.op,
    dtypeOf,
    number: (x, dtype) => outer.constant("number", scalar(dtype, x)),
    ints: (list) => outer.constant("ints", int64s(list)),
  });
  return {
    ...words,
    path,
    op: g.op,
    ops: g.ops,
    like: g.like,
    input: (name, dtype, dims) => g.input(name, dtype, dims),
    parameter: (name, dims, initial) => outer.constant(name, tensor("float32", dims, initial(dims, source))),
    statistic: (name, value) => outer.constant(name, value),
    constant: (name, value) => g.op("Constant", [], { value }, { name }),
    number: (x, like = "float32") => words.number(x, like),
    scope: (name) => layersOver(g.scope(`${name}/`), source, outer.scope(`${name}/`), `${path}${name}/`),
    output: (value, name) => g.output(value, name),
    when: (condition, then, otherwise) =>
      g.op("If", [condition], { then_branch: part(then), else_branch: part(otherwise) }),
    scan,
  };
}

/** The dims of a value. */
export function dimsOf(x: Value): Dims {
  if (x.type?.kind === "tensor" && x.type.dims) return x.type.dims;
  throw new ShapeError("a layer needs an input of known rank", { where: `value ${JSON.stringify(x.name)}` });
}

function dtypeOf({ name, type }: Value): DataType {
  if (type?.kind === "tensor") return type.dtype;
  throw new ShapeError("a layer needs an input of known type", { where: `value ${JSON.stringify(name)}` });
}

/** The length of an axis, which has to be a number. */
export function lengthOf(x: Value, axis: number): number {
  const dims = dimsOf(x);
  const length = dims[axis < 0 ? axis + dims.length : axis];
  if (typeof length === "number") return length;
  throw new ShapeError("a layer needs an axis of fixed length", {
    expected: `a number on axis ${axis}`,
    got: `[${dims.join(", ")}]`,
    where: `value ${JSON.stringify(x.name)}`,
  });
}
