/** @file The nodes and constants of quantization, one function for each, with the names of ONNX Runtime's own tools. */
import { nth } from "../../checked.ts";
import {
  bytesOfTensor,
  floatsOf,
  type Initializer,
  makeNode,
  type Names,
  type Node,
  scalar,
  type Tensor,
  tensorFromNumbers,
  tensorType,
  type Value,
} from "../../ir/index.ts";
import {
  grouping,
  groupParameters,
  limitsOf,
  type Parameters,
  type QuantizedTensor,
  type QuantizedType,
  quantizedParts,
  quantizeValue,
  representable,
  roundedTo,
  type Scheme,
  typeLimits,
} from "../scheme.ts";
import { bitsMetadata, rangeMetadata } from "./bits.ts";
import { type StoredContents, storedContents, viewNode } from "./constant-store.ts";

/** What is written so far. Weights and biases of equal content are stored once, and dequantized once. */
export interface Emission {
  readonly scope: Names;
  readonly activation: QuantizedType;
  /** Of the type's own, those that activations take. */
  readonly activationBits: number | undefined;
  readonly nodes: Node[];
  readonly initializers: Map<Value, Initializer>;
  readonly contents: StoredContents;
  /** The reals behind quantized constants, by what they are made of. */
  readonly dequantized: Map<string, Value>;
}

export function newEmission(scope: Names, activation: QuantizedType, activationBits?: number): Emission {
  return {
    scope,
    activation,
    activationBits,
    nodes: [],
    initializers: new Map(),
    contents: storedContents(),
    dequantized: new Map(),
  };
}

/** Constants of a pair. */
export interface EmittedParameters {
  readonly scale: Value;
  readonly zeroPoint?: Value;
}

function store({ scope, initializers }: Emission, name: string, tensor: Tensor): Value {
  const value = { name: scope.fresh(name), type: tensorType(tensor.dtype, tensor.dims) };
  initializers.set(value, tensor);
  return value;
}

/** `store` for what layers may have in common; content that is there already under other dims is seen through a view of it. */
function share(emission: Emission, name: string, content: Tensor): Value {
  const { contents, scope, nodes } = emission;
  const found = contents.find(content);
  if (found && !found.view) return found.value;
  if (!found?.view) {
    const value = store(emission, name, content);
    contents.add(value, content);
    return value;
  }
  const view = { name: scope.fresh(`${name}_view`), type: tensorType(content.dtype, content.dims) };
  contents.add(view, content);
  nodes.push(viewNode({ ...found, view: found.view }, view, (dims) => store(emission, `${name}_dims`, dims)));
  return view;
}

/** Scale and zero point of an activation. */
export function emitParameters(
  emission: Emission,
  name: string,
  { scale, zeroPoint }: Parameters,
): Required<EmittedParameters> {
  return {
    scale: store(emission, `${name}_scale`, scalar("float32", scale)),
    zeroPoint: store(emission, `${name}_zero_point`, scalar(emission.activation, zeroPoint)),
  };
}

/** The zero point alone, as what an integer is padded with. */
export function emitZeroPoint(emission: Emission, name: string, { zeroPoint }: Parameters): Value {
  return store(emission, name, scalar(emission.activation, zeroPoint));
}

export function emitQuantize(
  emission: Emission,
  name: string,
  source: Value,
  { scale, zeroPoint }: Required<EmittedParameters>,
): Value {
  const output = {
    name: emission.scope.fresh(`${name}_QuantizeLinear_Output`),
    type: tensorType(emission.activation),
  };
  const metadata = bitsMetadata({ dtype: emission.activation, bits: emission.activationBits });
  const node = { name: emission.scope.fresh(`${name}_QuantizeLinear`), ...(metadata && { metadata }) };
  emission.nodes.push(makeNode("QuantizeLinear", [source, scale, zeroPoint], [output], node));
  return output;
}

/** What keeps a value to the reals that fewer bits than those of the type stand for; the value itself where none are spared. */
export function emitRange(emission: Emission, name: string, source: Value, parameters: Parameters): Value {
  const { activation: dtype, activationBits: bits } = emission;
  if (!bitsMetadata({ dtype, bits })) return source;
  const { min, max } = representable(parameters, limitsOf({ dtype, symmetric: false, bits }));
  const ends = [
    store(emission, `${name}_least`, scalar("float32", min)),
    store(emission, `${name}_most`, scalar("float32", max)),
  ];
  const output = { name: emission.scope.fresh(`${name}_range`) };
  emission.nodes.push(makeNode("Clip", [source, ...ends], [output], { name: output.name, metadata: rangeMetadata }));
  return output;
}

/** What a weight is rounded with in the fake form. */
export interface TrainedScheme {
  readonly scheme: Scheme;
  readonly parameters: readonly Parameters[];
}

/** A weight that stays in floats, rounded and put back. */
export function emitTrainedWeight(
  emission: Emission,
  weight: Value,
  dims: readonly number[],
  { scheme, parameters }: TrainedScheme,
): { readonly real: Value; readonly scale: Value } {
  const { scope, nodes } = emission;
  const { name } = weight;
  const axis = scheme.granularity.kind === "channel" ? scheme.granularity.axis : undefined;
  const { dims: groups } = grouping(dims, scheme.granularity);
  const scales = parameters.map(({ scale }) => scale);
  const scale = store(emission, `${name}_scale`, tensorFromNumbers("float32", groups, scales));
  const zeros = tensorFromNumbers(scheme.dtype, groups, new Float64Array(scales.length));
  const zeroPoint = store(emission, `${name}_zero_point`, zeros);
  const metadata = bitsMetadata(scheme);
  const q = { name: scope.fresh(`${name}_quantized`), type: tensorType(scheme.dtype, dims) };
  const node = { name: scope.fresh(`${name}_QuantizeLinear`), attributes: { axis }, ...(metadata && { metadata }) };
  nodes.push(makeNode("QuantizeLinear", [weight, scale, zeroPoint], [q], node));
  return { real: emitDequantize(emission, name, q, { scale, zeroPoint }, { axis }), scale };
}

export interface DequantizeOptions {
  /** The value to make; a new one when absent. */
  readonly target?: Value | undefined;
  readonly axis?: number | undefined;
}

export function emitDequantize(
  { scope, nodes }: Emission,
  name: string,
  q: Value,
  { scale, zeroPoint }: EmittedParameters,
  { target, axis }: DequantizeOptions = {},
): Value {
  const output = target ?? { name: scope.fresh(`${name}_DequantizeLinear_Output`) };
  const inputs = zeroPoint ? [q, scale, zeroPoint] : [q, scale];
  const node = { name: scope.fresh(`${name}_DequantizeLinear`), attributes: { axis } };
  nodes.push(makeNode("DequantizeLinear", inputs, [output], node));
  return output;
}

/** The reals behind a quantized constant. The zero point is its own: the runtime fails where int8 constants have one in common. */
function reals(
  emission: Emission,
  name: string,
  { q, scale, zeroPoint, axis }: { q: Value; scale: Value; zeroPoint?: Tensor; axis: number | undefined },
): Value {
  const key = JSON.stringify([q.name, scale.name, zeroPoint && bytesOfTensor(zeroPoint).join(), axis]);
  const known = emission.dequantized.get(key);
  if (known) return known;
  const zero = zeroPoint && { zeroPoint: store(emission, `${name}_zero_point`, zeroPoint) };
  const made = emitDequantize(emission, name, q, { scale, ...zero }, { axis });
  emission.dequantized.set(key, made);
  return made;
}

/** A quantized constant and the reals that it stands for. */
export function emitWeight(emission: Emission, name: string, quantized: QuantizedTensor): Value {
  const { data, scale, zeroPoint } = quantizedParts(quantized);
  const { granularity } = quantized.scheme;
  return reals(emission, name, {
    scale: share(emission, `${name}_scale`, scale),
    q: share(emission, `${name}_quantized`, data),
    zeroPoint,
    axis: granularity.kind === "tensor" ? undefined : granularity.axis,
  });
}

/** A float constant that an integer node reads, on the activations' type. */
export function emitConstant(emission: Emission, name: string, tensor: Tensor): Value {
  const { activation } = emission;
  const scheme = { dtype: activation, symmetric: false, granularity: { kind: "tensor" } } as const;
  const reals = floatsOf(tensor);
  const parameters = groupParameters(reals, tensor.dims, scheme);
  const limits = typeLimits(activation);
  const values = new Int32Array(reals.length);
  for (let i = 0; i < values.length; i++) values[i] = quantizeValue(reals[i]!, nth(parameters, 0), limits);
  return emitWeight(emission, name, { dims: tensor.dims, scheme, values, parameters });
}

/** int32 with scale `s_x s_w` and zero point 0, as the integer kernels add it. */
export function emitBias(
  emission: Emission,
  name: string,
  bias: Float64Array,
  inputScale: number,
  weight: QuantizedTensor,
): Value {
  const scales = weight.parameters.map(({ scale }) => Math.fround(Math.fround(inputScale) * Math.fround(scale)));
  const perChannel = scales.length > 1;
  const integers = bias.map((real, i) => roundedTo(real / nth(scales, perChannel ? i : 0), 32));
  const scale = tensorFromNumbers("float32", perChannel ? [scales.length] : [], scales);
  const q = share(emission, `${name}_quantized`, tensorFromNumbers("int32", [bias.length], integers));
  return reals(emission, name, {
    q,
    scale: share(emission, `${name}_quantized_scale`, scale),
    axis: perChannel ? 0 : undefined,
  });
}

/** A one-by-one convolution that gives back its input: integers 1 with scale 1 on the diagonal. */
export function emitIdentity(emission: Emission, name: string, input: Value, channels: number): Value {
  const values = new Int32Array(channels ** 2);
  for (let i = 0; i < values.length; i += channels + 1) values[i] = 1;
  const scheme = { dtype: "int8", symmetric: true, granularity: { kind: "tensor" } } as const;
  const parameters = [{ scale: 1, zeroPoint: 0 }];
  const dims = [channels, channels, 1, 1];
  const weight = emitWeight(emission, `${name}_anchor`, { dims, scheme, values, parameters });
  const output = { name: emission.scope.fresh(`${name}_anchored`) };
  emission.nodes.push(makeNode("Conv", [input, weight], [output], { name: output.name }));
  return output;
}
