/** @file Building graphs: `g.op("Conv", [x, w], { strides: [2, 2] })` returns the value that the node makes. */
import { InvalidModelError } from "../errors.ts";
import { checkOptions, type OptionNames } from "../options.ts";
import { makeNode } from "./edit.ts";
import { fixedMark } from "./fixed-constant.ts";
import { describeNode, type Graph, type Node, operatorOf, qualifiedName, type Value } from "./graph.ts";
import { type Names, names } from "./names.ts";
import type { AnyAttributes, BuilderAttributes, Inputs, OperatorName, Outputs, Settings } from "./operator.ts";
import { type Initializer, isSparse } from "./tensor.ts";
import { type DataType, type Dims, tensorType, type ValueType } from "./types.ts";

/** The nodes and initializers that a builder holds so far. */
export interface Built {
  readonly nodes: readonly Node[];
  readonly initializers: ReadonlyMap<Value, Initializer>;
}

/** What the outputs of a node are, given its inputs' types; supplied by `ops/`, which stands above this folder. */
export type InferTypes = (node: Node, built: Built) => readonly (ValueType | undefined)[];

export interface BuilderOptions {
  readonly names?: Names;
  readonly infer?: InferTypes;
  /** Put before every name: `"block1/"`. */
  readonly prefix?: string;
}

export interface OpOptions {
  readonly name?: string;
  /** Types of the outputs, where the caller knows more of them than inference does. */
  readonly types?: readonly ValueType[];
}

/** Adds nodes of operators whose names and attributes the compiler checks. */
export interface Operators<Options = OpOptions> {
  /** Adds a node with one output: `g.op("Conv", [x, w], { strides: [2, 2] })`. */
  op<K extends OperatorName>(opType: K, inputs: Inputs, ...settings: Settings<K, Options>): Value;
  /** Adds a node with `count` outputs. */
  ops<K extends OperatorName, N extends number>(
    opType: K,
    inputs: Inputs,
    count: N,
    ...settings: Settings<K, Options>
  ): Outputs<N>;
}

export interface GraphBuilder extends Operators {
  input(name: string, dtype: DataType, dims?: Dims): Value;
  constant(name: string, tensor: Initializer): Value;
  /** Adds a node like another over other inputs, with some attributes changed; `undefined` takes one away. */
  like(node: Node, inputs: Inputs, changes?: AnyAttributes, options?: OpOptions): [Value, ...Value[]];
  /** Adds a node of an operator that is known only when the program runs; nothing checks its name and attributes. */
  unchecked<N extends number>(
    opType: string,
    inputs: Inputs,
    count: N,
    attributes?: BuilderAttributes,
    options?: OpOptions,
  ): Outputs<N>;
  /** Makes `value` a graph output, under another name if one is given. */
  output(value: Value, name?: string): void;
  /** The same graph under a longer prefix. */
  scope(prefix: string): GraphBuilder;
  /** A builder for a subgraph: its own nodes, the same names. */
  subgraph(): GraphBuilder;
  build(name?: string): Graph;
  /** The nodes and initializers so far, for splicing into a draft. */
  readonly nodes: readonly Node[];
  readonly initializers: ReadonlyMap<Value, Initializer>;
}

interface State {
  readonly names: Names;
  readonly infer: InferTypes | undefined;
  readonly inputs: Value[];
  readonly outputs: Value[];
  readonly nodes: Node[];
  readonly initializers: Map<Value, Initializer>;
}

const builderOptionsNames: OptionNames<BuilderOptions> = { names: true, infer: true, prefix: true };

export function graphBuilder(options: BuilderOptions = {}): GraphBuilder {
  const { names: scope = names(), infer, prefix = "" } = checkOptions(options, builderOptionsNames);
  const state: State = { names: scope, infer, inputs: [], outputs: [], nodes: [], initializers: new Map() };
  return builderOver(state, prefix);
}

type Fresh = (name: string, type: ValueType | undefined) => Value;

function addingNodes(
  state: State,
  prefix: string,
  fresh: Fresh,
): Pick<GraphBuilder, "op" | "ops" | "like" | "unchecked"> {
  function emit<N extends number>(
    qualified: string,
    inputs: Inputs,
    count: N,
    attributes: BuilderAttributes = {},
    { name, types: known }: OpOptions = {},
  ): Outputs<N> {
    const { opType, domain } = operatorOf(qualified);
    const wanted = name ?? opType.toLowerCase();
    const parts = { domain, attributes };
    const blank = Array.from({ length: count }, (_, i) => ({ name: `${i}` }));
    const types = known ?? state.infer?.(makeNode(opType, inputs, blank, parts), state) ?? [];
    const outputs = blank.map((_, i) => fresh(i === 0 ? wanted : `${wanted}:${i}`, types[i]));
    state.nodes.push(
      makeNode(opType, inputs, outputs, {
        ...parts,
        ...(opType === "Constant" && { metadata: fixedMark }),
        name: outputs[0]?.name ?? state.names.fresh(prefix + wanted),
      }),
    );
    return outputs as Outputs<N>;
  }

  return {
    op: (opType, inputs, ...[attributes, options]) => emit(opType, inputs, 1, attributes, options)[0],
    ops: (opType, inputs, count, ...[attributes, options]) => emit(opType, inputs, count, attributes, options),
    unchecked: emit,
    like(node, inputs, changes = {}, options) {
      const attributes = { ...Object.fromEntries(node.attributes), ...changes };
      const [first, ...others] = emit(qualifiedName(node), inputs, node.outputs.length, attributes, options);
      if (first) return [first, ...others];
      throw new InvalidModelError("a node has no outputs", { where: describeNode(node) });
    },
  };
}

function builderOver(state: State, prefix: string): GraphBuilder {
  const fresh: Fresh = (name, type) => {
    const unique = state.names.fresh(prefix + name);
    return type ? { name: unique, type } : { name: unique };
  };

  return {
    nodes: state.nodes,
    initializers: state.initializers,
    input(name, dtype, dims) {
      const value = fresh(name, tensorType(dtype, dims));
      state.inputs.push(value);
      return value;
    },
    constant(name, tensor) {
      const dtype = isSparse(tensor) ? tensor.values.dtype : tensor.dtype;
      const value = fresh(name, tensorType(dtype, tensor.dims));
      state.initializers.set(value, tensor);
      return value;
    },
    ...addingNodes(state, prefix, fresh),
    output(value, name) {
      state.outputs.push(name === undefined || name === value.name ? value : renamed(state, value, name));
    },
    scope: (inner) => builderOver(state, prefix + inner),
    subgraph: () => builderOver({ ...state, inputs: [], outputs: [], nodes: [], initializers: new Map() }, prefix),
    build: (name = "main") => ({
      name,
      inputs: [...state.inputs],
      outputs: [...state.outputs],
      nodes: [...state.nodes],
      initializers: new Map(state.initializers),
    }),
  };
}

/** An output's name is its contract, so it is taken as it stands; an `Identity` carries the value to it. */
function renamed(state: State, value: Value, name: string): Value {
  if (state.names.fresh(name) !== name) {
    throw new InvalidModelError("a graph output needs a name of its own", { got: JSON.stringify(name) });
  }
  const output: Value = value.type ? { name, type: value.type } : { name };
  state.nodes.push(makeNode("Identity", [value], [output], { name }));
  return output;
}
