/** @file Writes a placement into the model as QuantizeLinear and DequantizeLinear nodes, named as ONNX Runtime's tools do. */
import {
  type AttributeLiteral,
  floatsOf,
  type Graph,
  type Initializer,
  type Model,
  makeNode,
  type Names,
  type Node,
  names,
  namesIn,
  scalar,
  type Tensor,
  tensorFromNumbers,
  tensorType,
  type Value,
  withGraph,
} from "../ir/index.ts";
import type { Layer } from "./layer.ts";
import { dataInputs, type Placement } from "./placement.ts";
import {
  groupParameters,
  type Parameters,
  type QuantizedTensor,
  type QuantizedType,
  quantizedParts,
  quantizeValue,
  roundedTo,
  typeLimits,
} from "./scheme.ts";
import { withoutUnread } from "./unread.ts";

/** The constants of one layer: its quantized weight, and its bias in reals (absent: none). */
export interface LayerConstants {
  readonly weight: QuantizedTensor;
  readonly bias: Float64Array | undefined;
}

export interface Insertion {
  readonly placement: Placement;
  readonly activation: QuantizedType;
  /** Of every value of the placement; equal for values that share. */
  readonly parameters: ReadonlyMap<Value, Parameters>;
  readonly constants: ReadonlyMap<Node, LayerConstants>;
}

export interface Inserted {
  readonly model: Model;
  /** What each layer of the placement reads in the new model: its input, quantized and dequantized. */
  readonly layerInputs: ReadonlyMap<Node, Value>;
  /** The output of each layer in the new model, before it is quantized. */
  readonly layerOutputs: ReadonlyMap<Node, Value>;
}

/** The model with the placement's pairs inserted, the clamps folded and the weights and biases stored as integers. */
export function insertQdq(model: Model, insertion: Insertion): Inserted {
  const { graph } = model;
  const writer = writerOver(graph, insertion);
  for (const input of graph.inputs) writer.quantizeFloat(input);
  for (const node of graph.nodes) writer.write(node);
  const initializers = new Map([...graph.initializers, ...writer.initializers]);
  const { nodes, layerInputs, layerOutputs } = writer;
  const written = withGraph(model, { ...graph, nodes, initializers });
  return { model: withoutUnread(written), layerInputs, layerOutputs };
}

interface Writer extends Omit<Inserted, "model"> {
  readonly nodes: Node[];
  readonly initializers: Map<Value, Initializer>;
  quantizeFloat(value: Value): void;
  write(node: Node): void;
}

function writerOver(graph: Graph, insertion: Insertion): Writer {
  const { placement } = insertion;
  const scope = names(namesIn(graph));
  const emit = emitter(scope, insertion.activation);
  const clampOf = new Map([...placement.folded].map(([clamp, source]) => [source, clamp]));
  const values = new Set(placement.values);
  const outputs = new Set(graph.outputs);
  /** The real value that integer nodes read, and the integers behind it. */
  const reals = new Map<Value, Value>();
  const integers = new Map<Value, Value>();
  const fromIntegers = new Set<Value>();
  const anchors = layoutAnchors(graph, placement);
  const layerInputs = new Map<Node, Value>();
  const layerOutputs = new Map<Node, Value>();

  const pair = (value: Value, source: Value, target?: Value): void => {
    const parameters = emit.parameters(value.name, insertion.parameters.get(value)!);
    const q = integers.get(value) ?? emit.quantize(value.name, source, parameters);
    integers.set(value, q);
    reals.set(value, emit.dequantize(value.name, q, parameters, target));
  };

  /** The value that an integer node writes to, and the pair after it. */
  const produce = (value: Value): { output: Value; finish: () => void } => {
    fromIntegers.add(value);
    if (!values.has(value)) return { output: value, finish: () => undefined };
    if (!outputs.has(value)) return { output: value, finish: () => pair(value, value) };
    const output = { ...value, name: scope.fresh(`${value.name}_QuantizeLinear_Input`) };
    return { output, finish: () => pair(value, output, value) };
  };

  const read = (value: Value): Value => {
    const real = reals.get(value);
    if (real) return real;
    const constant = graph.initializers.get(value);
    if (!constant || "indices" in constant) return value;
    const made = emit.constant(value.name, constant);
    reals.set(value, made);
    return made;
  };

  const writeLayer = (node: Node, { input, weight, bias }: Layer): void => {
    const { output, finish } = produce((clampOf.get(node) ?? node).outputs[0]!);
    const constants = insertion.constants.get(node)!;
    layerInputs.set(node, read(input));
    layerOutputs.set(node, output);
    const inputs = [read(input), emit.weight(weight.name, constants.weight)];
    if (constants.bias) {
      const { scale } = insertion.parameters.get(input)!;
      inputs.push(emit.bias(bias?.name ?? `${weight.name}_bias`, constants.bias, scale, constants.weight));
    }
    emit.nodes.push(renamedNode(node, inputs, [output]));
    finish();
  };

  const writeOther = (node: Node): void => {
    const data = new Set(dataInputs(node));
    const { output, finish } = produce((clampOf.get(node) ?? node).outputs[0]!);
    const inputs = node.inputs.map((value) => (value && data.has(value) ? read(value) : value));
    emit.nodes.push(renamedNode(node, inputs, [output, ...node.outputs.slice(1)]));
    finish();
  };

  /** Moves the integers themselves; what is padded with zero is padded with the zero point. */
  const writeInteger = (node: Node): void => {
    const [input, ...rest] = node.inputs;
    const [output] = node.outputs;
    const parameters = insertion.parameters.get(output!)!;
    const zero = emit.zeroPoint(`${output!.name}_pad`, parameters);
    const moved = {
      name: scope.fresh(`${output!.name}_QuantizeLinear_Output`),
      type: tensorType(insertion.activation),
    };
    emit.nodes.push(renamedNode(node, [integers.get(input!), rest[0], zero, ...rest.slice(2)], [moved]));
    integers.set(output!, moved);
    fromIntegers.add(output!);
    pair(output!, output!, outputs.has(output!) ? output : undefined);
  };

  const writeFloat = (node: Node): void => {
    const inputs = node.inputs.map((value) => (value && fromIntegers.has(value) ? (reals.get(value) ?? value) : value));
    emit.nodes.push({ ...node, inputs });
    for (const output of node.outputs) {
      if (!output || !values.has(output)) continue;
      pair(output, output);
      const channels = anchors.get(output);
      if (channels === undefined) continue;
      const source = emit.identity(output.name, reals.get(output)!, channels);
      const parameters = emit.parameters(`${output.name}_anchored`, insertion.parameters.get(output)!);
      integers.set(output, emit.quantize(`${output.name}_anchored`, source, parameters));
      reals.set(output, emit.dequantize(`${output.name}_anchored`, integers.get(output)!, parameters));
    }
  };

  return {
    nodes: emit.nodes,
    initializers: emit.initializers,
    layerInputs,
    layerOutputs,
    quantizeFloat(value) {
      if (values.has(value)) pair(value, value);
    },
    write(node) {
      const layer = placement.layers.get(node);
      const kernel = placement.others.get(node);
      if (placement.folded.has(node)) return;
      if (layer) writeLayer(node, layer);
      else if (kernel === "integer") writeInteger(node);
      else if (kernel) writeOther(node);
      else writeFloat(node);
    },
  };
}

const WIDEST_ANCHOR = 64;

/**
 * Values made in floats that both a two-dimensional convolution and another integer node read, with their channels. ONNX Runtime
 * computes integer convolutions with the channels last; such a value would leave the other node, and all behind it, with the channels
 * first and a transposition on either side. A small convolution that changes nothing takes both along.
 */
function layoutAnchors(graph: Graph, { layers, others }: Placement): ReadonlyMap<Value, number> {
  const made = new Set<Value>();
  for (const node of graph.nodes) {
    const isInteger = layers.has(node) || others.has(node);
    if (!isInteger) for (const output of node.outputs) if (output) made.add(output);
  }
  const channels = new Map<Value, number>();
  for (const { node, input, weightTensor, groups } of layers.values()) {
    if (node.opType === "Conv" && weightTensor.dims.length === 4) channels.set(input, weightTensor.dims[1]! * groups);
  }
  const read = [...others.keys()].flatMap(dataInputs).filter((value) => made.has(value));
  return new Map(
    read.flatMap((value) => {
      const count = channels.get(value);
      return count === undefined || count > WIDEST_ANCHOR ? [] : [[value, count] as const];
    }),
  );
}

interface EmittedParameters {
  readonly scale: Value;
  readonly zeroPoint: Value;
}

function emitter(scope: Names, activation: QuantizedType) {
  const nodes: Node[] = [];
  const initializers = new Map<Value, Initializer>();
  const store = (name: string, tensor: Tensor): Value => {
    const value = { name: scope.fresh(name), type: tensorType(tensor.dtype, tensor.dims) };
    initializers.set(value, tensor);
    return value;
  };
  const add = (opType: string, suffix: string, name: string, inputs: Value[], output: Value, axis?: number): Value => {
    const attributes: Record<string, AttributeLiteral | undefined> = { axis };
    nodes.push(makeNode(opType, inputs, [output], { name: `${name}_${opType}${suffix}`, attributes }));
    return output;
  };
  const fresh = (name: string): Value => ({ name: scope.fresh(name) });

  const dequantize = (
    name: string,
    q: Value,
    { scale, zeroPoint }: { scale: Value; zeroPoint?: Value },
    target?: Value,
    axis?: number,
  ): Value => {
    const output = target ?? fresh(`${name}_DequantizeLinear_Output`);
    return add("DequantizeLinear", "", name, zeroPoint ? [q, scale, zeroPoint] : [q, scale], output, axis);
  };
  const storeQuantized = (name: string, q: QuantizedTensor): Value => {
    const { data, scale, zeroPoint } = quantizedParts(q);
    const parts = { scale: store(`${name}_scale`, scale), zeroPoint: store(`${name}_zero_point`, zeroPoint) };
    const { granularity } = q.scheme;
    return dequantize(name, store(`${name}_quantized`, data), parts, undefined, axisOf(granularity));
  };

  return {
    nodes,
    initializers,
    parameters: (name: string, { scale, zeroPoint }: Parameters): EmittedParameters => ({
      scale: store(`${name}_scale`, scalar("float32", scale)),
      zeroPoint: store(`${name}_zero_point`, scalar(activation, zeroPoint)),
    }),
    zeroPoint: (name: string, { zeroPoint }: Parameters) => store(name, scalar(activation, zeroPoint)),
    quantize: (name: string, source: Value, { scale, zeroPoint }: EmittedParameters) =>
      add("QuantizeLinear", "", name, [source, scale, zeroPoint], {
        name: scope.fresh(`${name}_QuantizeLinear_Output`),
        type: tensorType(activation),
      }),
    dequantize,
    /** A convolution that gives back its input: integers 1 with scale 1 on the diagonal. */
    identity: (name: string, input: Value, channels: number): Value => {
      const values = Int32Array.from({ length: channels ** 2 }, (_, i) => (i % (channels + 1) === 0 ? 1 : 0));
      const scheme = { dtype: "int8", symmetric: true, granularity: { kind: "tensor" } } as const;
      const parameters = [{ scale: 1, zeroPoint: 0 }];
      const weight = storeQuantized(`${name}_anchor`, { dims: [channels, channels, 1, 1], scheme, values, parameters });
      const output = fresh(`${name}_anchored`);
      nodes.push(makeNode("Conv", [input, weight], [output], { name: output.name }));
      return output;
    },
    weight: storeQuantized,
    /** A float constant that an integer node reads, on the activations' type. */
    constant: (name: string, tensor: Tensor): Value => {
      const scheme = { dtype: activation, symmetric: false, granularity: { kind: "tensor" } } as const;
      const reals = floatsOf(tensor);
      const parameters = groupParameters(reals, tensor.dims, scheme);
      const values = Int32Array.from(reals, (real) => quantizeValue(real, parameters[0]!, typeLimits(activation)));
      return storeQuantized(name, { dims: tensor.dims, scheme, values, parameters });
    },
    /** int32 with scale `s_x s_w` and zero point 0, as the integer kernels add it. */
    bias: (name: string, bias: Float64Array, inputScale: number, weight: QuantizedTensor): Value => {
      const scales = weight.parameters.map(({ scale }) => Math.fround(Math.fround(inputScale) * Math.fround(scale)));
      const scaleOf = (i: number): number => (scales.length === 1 ? scales[0]! : scales[i]!);
      const data = tensorFromNumbers(
        "int32",
        [bias.length],
        bias.map((real, i) => roundedTo(real / scaleOf(i), 32)),
      );
      const perChannel = scales.length > 1;
      const scale = tensorFromNumbers("float32", perChannel ? [scales.length] : [], scales);
      const parts = { scale: store(`${name}_quantized_scale`, scale) };
      return dequantize(name, store(`${name}_quantized`, data), parts, undefined, perChannel ? 0 : undefined);
    },
  };
}

function axisOf(granularity: QuantizedTensor["scheme"]["granularity"]): number | undefined {
  return granularity.kind === "tensor" ? undefined : granularity.axis;
}

/** The node over other values; unnamed nodes get their output's name, so that profiles can be read. */
function renamedNode(
  node: Node,
  inputs: readonly (Value | undefined)[],
  outputs: readonly (Value | undefined)[],
): Node {
  return { ...node, name: node.name || (node.outputs[0]?.name ?? ""), inputs, outputs };
}
