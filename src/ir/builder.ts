/** @file Building graphs: `g.op("Conv", [x, w], { strides: [2, 2] })` returns the value that the node makes. */
import { InvalidModelError } from "../errors.ts";
import { checkOptions, type OptionNames } from "../options.ts";
import type { AttributeLiteral } from "./attribute.ts";
import { makeNode } from "./edit.ts";
import { fixedMark } from "./fixed-constant.ts";
import type { Graph, Node, Value } from "./graph.ts";
import { type Names, names } from "./names.ts";
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

export type BuilderAttributes = Readonly<Record<string, AttributeLiteral | undefined>>;

export interface OpOptions {
  readonly domain?: string;
  readonly name?: string;
  /** Types of the outputs, where the caller knows more of them than inference does. */
  readonly types?: readonly ValueType[];
}

export interface GraphBuilder {
  input(name: string, dtype: DataType, dims?: Dims): Value;
  constant(name: string, tensor: Initializer): Value;
  /** Adds a node with one output. */
  op(
    opType: string,
    inputs: readonly (Value | undefined)[],
    attributes?: BuilderAttributes,
    options?: OpOptions,
  ): Value;
  /** Adds a node with `count` outputs. */
  ops(
    opType: string,
    inputs: readonly (Value | undefined)[],
    count: number,
    attributes?: BuilderAttributes,
    options?: OpOptions,
  ): Value[];
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

function builderOver(state: State, prefix: string): GraphBuilder {
  const fresh = (name: string, type: ValueType | undefined): Value => {
    const unique = state.names.fresh(prefix + name);
    return type ? { name: unique, type } : { name: unique };
  };

  function ops(
    opType: string,
    inputs: readonly (Value | undefined)[],
    count: number,
    attributes: BuilderAttributes = {},
    { domain = "", name = opType.toLowerCase(), types: known }: OpOptions = {},
  ): Value[] {
    const parts = { domain, attributes };
    const blank = Array.from({ length: count }, (_, i) => ({ name: `${i}` }));
    const types = known ?? state.infer?.(makeNode(opType, inputs, blank, parts), state) ?? [];
    const outputs = blank.map((_, i) => fresh(i === 0 ? name : `${name}:${i}`, types[i]));
    state.nodes.push(
      makeNode(opType, inputs, outputs, {
        ...parts,
        ...(opType === "Constant" && { metadata: fixedMark }),
        name: outputs[0]?.name ?? state.names.fresh(prefix + name),
      }),
    );
    return outputs;
  }

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
    op: (opType, inputs, attributes, options) => ops(opType, inputs, 1, attributes, options)[0]!,
    ops,
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
