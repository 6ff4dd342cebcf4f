/** @file Writes a placement into the model as QuantizeLinear and DequantizeLinear nodes. */
import type { Layer } from "../../calibration/index.ts";
import { atLeast, must, nth } from "../../checked.ts";
import {
  editGraph,
  type Graph,
  type Model,
  type Node,
  names,
  namesIn,
  readsOf,
  tensorType,
  type Value,
  withGraph,
} from "../../ir/index.ts";
import { layoutAnchors } from "../placement/layout-anchors.ts";
import { dataInputs, type Placement } from "../placement/placement.ts";
import type { Parameters, QuantizedTensor, QuantizedType } from "../scheme.ts";
import {
  type Emission,
  type EmittedParameters,
  emitBias,
  emitConstant,
  emitDequantize,
  emitIdentity,
  emitParameters,
  emitQuantize,
  emitRange,
  emitTrainedWeight,
  emitWeight,
  emitZeroPoint,
  newEmission,
  type TrainedScheme,
} from "./emit-qdq.ts";
import { withoutUnread } from "./unread.ts";

/** The constants of one layer: its quantized weight, and its bias in reals (absent: none). */
export interface LayerConstants {
  readonly weight: QuantizedTensor;
  readonly bias: Float64Array | undefined;
}

export interface Insertion {
  readonly placement: Placement;
  readonly activation: QuantizedType;
  /** Of the type's own, those that activations take; all when absent. */
  readonly activationBits?: number | undefined;
  /** Of every value of the placement; equal for values that share. */
  readonly parameters: ReadonlyMap<Value, Parameters>;
  readonly constants: ReadonlyMap<Node, LayerConstants>;
}

export interface Inserted {
  readonly model: Model;
  /** What each layer of the placement reads in the new model: its input, quantized and dequantized. */
  readonly layerInputs: ReadonlyMap<Node, Value>;
}

/** Instead of rounded constants, how those of each layer are rounded in every run. */
export interface FakeInsertion extends Omit<Insertion, "constants"> {
  readonly schemes: ReadonlyMap<Node, TrainedScheme>;
}

export interface FakeInserted {
  readonly model: Model;
  /** The scale and the zero point of the activations that share them, by the value that represents these. */
  readonly parameters: ReadonlyMap<Value, Required<EmittedParameters>>;
  /** The scale of the weights of each layer. */
  readonly weightScales: ReadonlyMap<Node, Value>;
}

/**
 * The same pairs at the same places, over weights and biases that stay in floats, which is what can be trained: what the integers of
 * `insertQdq` compute but for the rounding of biases. Clamps stay where they are; values that share parameters read one constant.
 */
export function insertFakeQdq(model: Model, insertion: FakeInsertion): FakeInserted {
  const { schemes, ...rest } = insertion;
  const writing = begin(model.graph, { ...rest, constants: new Map() }, schemes);
  const written = finished(model, writing);
  return { model: written, parameters: writing.shared, weightScales: writing.weightScales };
}

/** The model with the placement's pairs inserted, the clamps folded and the weights and biases stored as integers. */
export function insertQdq(model: Model, insertion: Insertion): Inserted {
  const writing = begin(model.graph, insertion);
  return { model: finished(model, writing), layerInputs: writing.layerInputs };
}

function finished(model: Model, writing: Writing): Model {
  const { graph } = model;
  for (const input of graph.inputs) if (writing.values.has(input)) pair(writing, input, input);
  for (const node of graph.nodes) write(writing, node);
  const { emission } = writing;
  const initializers = new Map([...graph.initializers, ...emission.initializers]);
  return withoutUnread(withGraph(model, { ...graph, nodes: emission.nodes, initializers }));
}

interface Writing {
  readonly graph: Graph;
  readonly insertion: Insertion;
  readonly emission: Emission;
  /** The clamp that is folded into a node. */
  readonly clampOf: ReadonlyMap<Node, Node>;
  readonly values: ReadonlySet<Value>;
  readonly anchors: ReadonlyMap<Value, number>;
  /** The real value that integer nodes read, and the integers behind it. */
  readonly reals: Map<Value, Value>;
  readonly integers: Map<Value, Value>;
  /** Values that integer nodes make. */
  readonly fromIntegers: Set<Value>;
  readonly layerInputs: Map<Node, Value>;
  /** In the fake form: how weights are rounded, by layer. */
  readonly schemes: FakeInsertion["schemes"] | undefined;
  readonly shared: Map<Value, Required<EmittedParameters>>;
  readonly weightScales: Map<Node, Value>;
  /** The reals behind weights in the fake form, by what they are made of. */
  readonly trained: Map<string, ReturnType<typeof emitTrainedWeight>>;
}

function begin(graph: Graph, insertion: Insertion, schemes?: FakeInsertion["schemes"]): Writing {
  const { placement, activation, activationBits } = insertion;
  return {
    graph,
    insertion,
    schemes,
    shared: new Map(),
    weightScales: new Map(),
    trained: new Map(),
    emission: newEmission(names(namesIn(graph)), activation, activationBits),
    clampOf: new Map([...placement.folded].map(([clamp, source]) => [source, clamp])),
    values: new Set(placement.values),
    anchors: layoutAnchors(placement),
    reals: new Map(),
    integers: new Map(),
    fromIntegers: new Set(),
    layerInputs: new Map(),
  };
}

function write(writing: Writing, node: Node): void {
  const { layers, others, folded } = writing.insertion.placement;
  if (folded.has(node)) return;
  const layer = layers.get(node);
  const kernel = others.get(node);
  if (layer && writing.schemes) writeTrainedLayer(writing, node, layer, must(writing.schemes, node));
  else if (layer) writeLayer(writing, node, layer);
  else if (kernel === "integer" && !writing.schemes) writeInteger(writing, node);
  else if (kernel) writeOther(writing, node);
  else writeFloat(writing, node);
}

/** QuantizeLinear and DequantizeLinear after `source`; what comes out is `target`, or new. */
function pair(writing: Writing, value: Value, source: Value, target?: Value): void {
  const { emission, insertion, integers, reals } = writing;
  const parameters = parametersFor(writing, value.name, value);
  const ranged = () => emitRange(emission, value.name, source, must(insertion.parameters, value));
  const q = integers.get(value) ?? emitQuantize(emission, value.name, ranged(), parameters);
  integers.set(value, q);
  reals.set(value, emitDequantize(emission, value.name, q, parameters, { target }));
}

/** In the fake form values that share parameters share the constants, so that they move together. */
function parametersFor({ emission, insertion, schemes, shared }: Writing, name: string, value: Value) {
  const representative = insertion.placement.representative(value);
  const known = schemes && shared.get(representative);
  const parameters = known ?? emitParameters(emission, name, must(insertion.parameters, value));
  shared.set(representative, parameters);
  return parameters;
}

/** The value that an integer node writes to, and the pair after it. Graph outputs keep their value behind the pair. */
function produce(writing: Writing, node: Node): { output: Value; finish: () => void } {
  const { clampOf, emission, fromIntegers, graph, values, schemes } = writing;
  const clamp = clampOf.get(node);
  const value = nth((clamp ?? node).outputs, 0);
  fromIntegers.add(value);
  if (clamp && schemes) return { output: nth(node.outputs, 0), finish: () => clamped(writing, clamp, value) };
  if (!values.has(value)) return { output: value, finish: () => undefined };
  if (!graph.outputs.includes(value)) return { output: value, finish: () => pair(writing, value, value) };
  const output = { ...value, name: emission.scope.fresh(`${value.name}_QuantizeLinear_Input`) };
  return { output, finish: () => pair(writing, value, output, value) };
}

/** A clamp that would be folded stays in front of the pair, for the range may come to be wider than what it lets through. */
function clamped(writing: Writing, clamp: Node, value: Value): void {
  const { emission, graph } = writing;
  if (!graph.outputs.includes(value)) {
    emission.nodes.push(clamp);
    pair(writing, value, value);
    return;
  }
  const output = { ...value, name: emission.scope.fresh(`${value.name}_QuantizeLinear_Input`) };
  emission.nodes.push({ ...clamp, outputs: [output] });
  pair(writing, value, output, value);
}

/** What an integer node reads in the place of a value. */
function read({ emission, graph, reals }: Writing, value: Value): Value {
  const real = reals.get(value);
  if (real) return real;
  const constant = graph.initializers.get(value);
  if (!constant || "indices" in constant) return value;
  const made = emitConstant(emission, value.name, constant);
  reals.set(value, made);
  return made;
}

function writeLayer(writing: Writing, node: Node, layer: Layer): void {
  const { input, weight, bias } = layer;
  const { emission, insertion, layerInputs } = writing;
  const { output, finish } = produce(writing, node);
  const constants = must(insertion.constants, node);
  const x = read(writing, input);
  layerInputs.set(node, x);
  const inputs = [x, emitWeight(emission, weight.name, constants.weight)];
  if (constants.bias) {
    const { scale } = must(insertion.parameters, input);
    inputs.push(emitBias(emission, bias?.name ?? `${weight.name}_bias`, constants.bias, scale, constants.weight));
  }
  emission.nodes.push(renamedNode(node, inputs, [output]));
  finish();
}

/** Over the weights themselves, which several layers may read. */
function writeTrainedLayer(writing: Writing, node: Node, layer: Layer, scheme: TrainedScheme): void {
  const { emission, trained, weightScales } = writing;
  const { output, finish } = produce(writing, node);
  const x = read(writing, layer.input);
  const key = JSON.stringify([layer.weight.name, scheme.scheme, scheme.parameters]);
  const dims = layer.weightTensor.dims;
  const made = trained.get(key) ?? emitTrainedWeight(emission, layer.weight, dims, scheme);
  trained.set(key, made);
  weightScales.set(node, made.scale);
  emission.nodes.push(renamedNode(node, [x, made.real, ...node.inputs.slice(2)], [output]));
  finish();
}

function writeOther(writing: Writing, node: Node): void {
  const data = new Set(dataInputs(node));
  const { output, finish } = produce(writing, node);
  const inputs = node.inputs.map((value) => (value && data.has(value) ? read(writing, value) : value));
  writing.emission.nodes.push(renamedNode(node, inputs, [output, ...node.outputs.slice(1)]));
  finish();
}

/** Moves the integers themselves; what is padded with zero is padded with the zero point. */
function writeInteger(writing: Writing, node: Node): void {
  const { emission, fromIntegers, graph, insertion, integers } = writing;
  const [input, pads, , ...rest] = atLeast(node.inputs, 1);
  const output = nth(node.outputs, 0);
  const zero = emitZeroPoint(emission, `${output.name}_pad`, must(insertion.parameters, output));
  const moved = {
    name: emission.scope.fresh(`${output.name}_QuantizeLinear_Output`),
    type: tensorType(insertion.activation),
  };
  emission.nodes.push(renamedNode(node, [integers.get(input), pads, zero, ...rest], [moved]));
  integers.set(output, moved);
  fromIntegers.add(output);
  pair(writing, output, output, graph.outputs.includes(output) ? output : undefined);
}

function writeFloat(writing: Writing, node: Node): void {
  const { emission, values } = writing;
  emission.nodes.push(readingReals(writing, node));
  for (const output of node.outputs) {
    if (!output || !values.has(output)) continue;
    pair(writing, output, output);
    if (!writing.schemes) anchor(writing, output);
  }
}

/** The node, and what its branches capture, over the reals behind the integers: a clamp that is folded is in those alone. */
function readingReals({ fromIntegers, reals }: Writing, node: Node): Node {
  const alone: Graph = { name: "", inputs: [], outputs: [], nodes: [node], initializers: new Map() };
  const edited = editGraph(alone, (draft) => {
    for (const value of new Set(readsOf(node))) {
      const real = fromIntegers.has(value) ? reals.get(value) : undefined;
      if (real) draft.replaceValue(value, real);
    }
  });
  return nth(edited.nodes, 0);
}

function anchor(writing: Writing, value: Value): void {
  const { anchors, emission, integers, reals } = writing;
  const channels = anchors.get(value);
  if (channels === undefined) return;
  const name = `${value.name}_anchored`;
  const source = emitIdentity(emission, value.name, must(reals, value), channels);
  const parameters = parametersFor(writing, name, value);
  const q = emitQuantize(emission, name, source, parameters);
  integers.set(value, q);
  reals.set(value, emitDequantize(emission, name, q, parameters));
}

/** The node over other values; unnamed nodes get their output's name, so that profiles can be read. */
function renamedNode(
  node: Node,
  inputs: readonly (Value | undefined)[],
  outputs: readonly (Value | undefined)[],
): Node {
  return { ...node, name: node.name || (node.outputs[0]?.name ?? ""), inputs, outputs };
}
