/** @file Networks with branches, built from layers: what branches are found in and fused. */
import {
  type BuilderAttributes,
  float,
  floats,
  graphBuilder,
  type Model,
  model,
  numbersOf,
  type Tensor,
  tensorFromNumbers,
  type Value,
} from "../src/ir/index.ts";
import {
  attention,
  batchNorm,
  conv,
  embedding,
  globalAveragePool,
  groupNorm,
  type Layers,
  layerNorm,
  layersInto,
  learnedPositions,
  linear,
  mlpBlock,
  network,
  normal,
  type RandomSource,
  residual,
  uniform,
} from "../src/nn/index.ts";
import { builderInference } from "../src/ops/index.ts";
import { numbers } from "./laws/pass-graphs.ts";

export interface BranchShape {
  /** Branches side by side. */
  readonly branches: number;
  /** Blocks in sequence within a branch. */
  readonly depth?: number;
}

/** Values that look random and are always the same. */
export function plainSource(seed = 1): RandomSource {
  let state = seed * 48271;
  const draw = (): number => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  };
  return { uniform: draw, normal: () => Math.sqrt(-2 * Math.log(draw())) * Math.cos(2 * Math.PI * draw()) };
}

const varied = { weight: uniform(0.3), biasInitial: uniform(0.2) };
const rescaled = { scale: uniform(1.5) };

function block(n: Layers, x: Value, causal: boolean): Value {
  const attended = residual(n, x, (inner) =>
    attention(n.scope("attention"), layerNorm(n.scope("norm1"), inner, rescaled), { heads: 2, causal, ...varied }),
  );
  return residual(n, attended, (inner) =>
    mlpBlock(n.scope("mlp"), layerNorm(n.scope("norm2"), inner, rescaled), { hidden: 16, ...varied }),
  );
}

function summed(n: Layers, terms: readonly Value[]): Value {
  return terms.reduce((sum, term) => n.op("Add", [sum, term]));
}

type Branches = (n: Layers, x: Value, make: (scope: Layers, x: Value) => Value, shape: BranchShape) => Value;

const sideBySide: Branches = (n, x, make, { branches, depth = 1 }) =>
  summed(
    n,
    Array.from({ length: branches }, (_, b) => {
      let y = x;
      for (let i = 0; i < depth; i++) y = make(n.scope(`branch${b}`).scope(`block${i}`), y);
      return y;
    }),
  );

function tokens(n: Layers): Value {
  const image = n.input("x", "float32", ["batch", 1, 8, 8]);
  const patches = conv(n.scope("patches"), image, 8, { kernel: 4, stride: 4, padding: 0 });
  const flat = n.op("Reshape", [patches, n.ints([0, 8, 4])]);
  return learnedPositions(n, n.op("Transpose", [flat], { perm: [0, 2, 1] }));
}

function head(n: Layers, y: Value): void {
  const pooled = n.op("ReduceMean", [layerNorm(n.scope("norm"), y, rescaled), n.ints([1])], { keepdims: 0 });
  n.output(linear(n.scope("head"), pooled, 3), "logits");
}

function residualConv(n: Layers, x: Value, norm: (n: Layers, x: Value) => Value): Value {
  const inner = n.op("Relu", [norm(n.scope("norm1"), conv(n.scope("1"), x, 6, { kernel: 3, bias: false }))]);
  return norm(n.scope("norm2"), conv(n.scope("2"), inner, 4, { kernel: 3 }));
}

/** The first of the outputs that an operator of com.microsoft makes. */
export type Contributed = (
  opType: string,
  inputs: readonly (Value | undefined)[],
  attributes?: BuilderAttributes,
  outputs?: number,
) => Value;

/** A network of operators of com.microsoft too, as ONNX Runtime's optimizer and exporters write them. */
export function contributed(build: (n: Layers, op: Contributed) => void): Model {
  const g = graphBuilder({ infer: builderInference(21) });
  const domain = "com.microsoft";
  build(
    layersInto(g, plainSource()),
    (opType, inputs, attributes, outputs = 1) =>
      g.unchecked(`com.microsoft::${opType}`, inputs, outputs, attributes)[0]!,
  );
  return model(g.build(), {
    opsets: new Map([
      ["", 21],
      [domain, 1],
    ]),
  });
}

const weightOf = (n: Layers, name: string, dims: readonly number[]) => n.parameter(name, dims, uniform(0.3));

/** Scores are lowered for keys that are further away; of each head its own way. */
function distances(n: Layers): Value {
  const values = Float32Array.from(
    { length: 32 },
    (_, i) => -Math.abs((i % 4) - (Math.floor(i / 4) % 4)) / (i < 16 ? 2 : 5),
  );
  return n.constant("distances", tensorFromNumbers("float32", [1, 2, 4, 4], values));
}

/** Attention and what follows it in one operator each; the sum with the skip connection is normalised in place. */
function fusedBlock(n: Layers, op: Contributed, x: Value, attended: Value): Value {
  const out = n.op("MatMul", [attended, weightOf(n, "out", [8, 8])]);
  const [gamma, beta, bias] = ["gamma", "beta", "skip"].map((name) => n.parameter(name, [8], uniform(1)));
  const y = op("SkipLayerNormalization", [out, x, gamma, beta, bias], { epsilon: float(1e-5) });
  const h = op("FusedMatMul", [y, weightOf(n, "up", [12, 8])], { transB: 1, alpha: float(0.75) });
  const active = op("BiasGelu", [h, n.parameter("up/bias", [12], uniform(0.2))]);
  const down = n.op("MatMul", [active, weightOf(n, "down", [12, 8])]);
  return n.op("Add", [y, n.op("Add", [down, n.parameter("down/bias", [8], uniform(0.2))])]);
}

/** Each network by its name; feeds for all of them come from `feedsOf`. */
export const branchNetworks = {
  "vision transformer": (shape) =>
    network(plainSource(), (n) =>
      head(
        n,
        sideBySide(n, tokens(n), (scope, y) => block(scope, y, false), shape),
      ),
    ),
  "vision transformer, mean": (shape) =>
    network(plainSource(), (n) => {
      const x = tokens(n);
      const ends = Array.from({ length: shape.branches }, (_, b) => block(n.scope(`branch${b}`), x, false));
      head(n, n.op("Mean", ends));
    }),
  "vision transformer, learned scales, residual around": (shape) =>
    network(plainSource(), (n) => {
      const x = tokens(n);
      const scaled = sideBySide(
        n,
        x,
        (scope, y) => n.op("Mul", [block(scope, y, false), scope.parameter("scale", [1], normal(1))]),
        shape,
      );
      head(n, n.op("Add", [x, scaled]));
    }),
  "language model": (shape) =>
    network(plainSource(), (n) => {
      const ids = n.input("ids", "int64", ["batch", 5]);
      const { value } = embedding(n.scope("tokens"), ids, { vocabulary: 11, width: 8 });
      const y = sideBySide(n, learnedPositions(n, value), (scope, x) => block(scope, x, true), shape);
      n.output(linear(n.scope("head"), layerNorm(n.scope("norm"), y), 11), "logits");
    }),
  "two stages": (shape) =>
    network(plainSource(), (n) => {
      let y = tokens(n);
      for (const stage of ["first", "second"]) {
        const f = (scope: Layers, x: Value) =>
          mlpBlock(scope, layerNorm(scope.scope("norm"), x, rescaled), { hidden: 12, ...varied });
        y = n.op("Add", [y, sideBySide(n.scope(stage), y, f, shape)]);
      }
      head(n, y);
    }),
  "residual convolutions": (shape) =>
    network(plainSource(), (n) => {
      const image = n.input("x", "float32", ["batch", 1, 8, 8]);
      const y = conv(n.scope("stem"), image, 4, { kernel: 3 });
      const sum = sideBySide(n, y, (scope, x) => residualConv(scope, x, (s, z) => batchNorm(s, z, rescaled)), shape);
      n.output(linear(n.scope("head"), globalAveragePool(n, n.op("Relu", [n.op("Add", [y, sum])])), 3), "logits");
    }),
  "convolutions with group norms and residuals within": (shape) =>
    network(plainSource(), (n) => {
      const image = n.input("x", "float32", ["batch", 1, 8, 8]);
      const y = conv(n.scope("stem"), image, 4, { kernel: 3 });
      const grouped = (s: Layers, z: Value) => groupNorm(s, z, { groups: 2, ...rescaled });
      const sum = sideBySide(n, y, (scope, x) => n.op("Add", [x, residualConv(scope, x, grouped)]), shape);
      n.output(linear(n.scope("head"), globalAveragePool(n, sum), 3), "logits");
    }),
  "fused operators, heads of separate projections": (shape) =>
    contributed((n, op) => {
      const x = tokens(n);
      const scores = distances(n);
      const make = (scope: Layers, y: Value) => {
        const [q, k, v] = ["q", "k", "v"].map((name) => scope.op("MatMul", [y, weightOf(scope, name, [8, 8])]));
        const bias = scope.parameter("bias", [24], uniform(0.2));
        const attended = op("MultiHeadAttention", [q, k, v, bias, undefined, scores], {
          num_heads: 2,
          unidirectional: 1,
        });
        return fusedBlock(scope, op, y, attended);
      };
      head(n, sideBySide(n, x, make, shape));
    }),
  "fused operators, packed projections": (shape) =>
    contributed((n, op) => {
      const make = (scope: Layers, y: Value) => {
        const parameters = [weightOf(scope, "qkv", [8, 24]), scope.parameter("bias", [24], uniform(0.2))];
        const attended = op("Attention", [y, ...parameters], { num_heads: 2, scale: float(0.4) });
        return fusedBlock(scope, op, y, attended);
      };
      head(n, sideBySide(n, tokens(n), make, shape));
    }),
  "fused convolutions": (shape) =>
    contributed((n, op) => {
      const image = n.input("x", "float32", ["batch", 1, 8, 8]);
      const y = conv(n.scope("stem"), image, 4, { kernel: 3 });
      const make = (scope: Layers, x: Value) => {
        const kernel = { kernel_shape: [3, 3], pads: [1, 1, 1, 1] };
        const filters = (name: string) => [
          weightOf(scope, name, [4, 4, 3, 3]),
          scope.parameter(`${name}/bias`, [4], uniform(0.2)),
        ];
        const inner = op("FusedConv", [x, ...filters("1")], {
          ...kernel,
          activation: "LeakyRelu",
          activation_params: floats([0.2]),
        });
        return op("FusedConv", [inner, ...filters("2"), x], { ...kernel, activation: "Relu" });
      };
      n.output(linear(n.scope("head"), globalAveragePool(n, sideBySide(n, y, make, shape)), 3), "logits");
    }),
  "dense experts": (shape) =>
    network(plainSource(), (n) => {
      const x = tokens(n);
      const gate = n.op("Softmax", [linear(n.scope("gate"), x, shape.branches)], { axis: -1 });
      const gates =
        shape.branches === 1
          ? [gate]
          : n.ops("Split", [gate], shape.branches, { axis: -1, num_outputs: shape.branches });
      const experts = gates.map((weight, e) =>
        n.op("Mul", [mlpBlock(n.scope(`expert${e}`), x, { hidden: 12, activation: "Relu", ...varied }), weight]),
      );
      head(n, n.op("Add", [x, summed(n, experts)]));
    }),
} satisfies Record<string, (shape: BranchShape) => Model>;

export type BranchNetwork = keyof typeof branchNetworks;

/** Feeds with numbers between −1 and 1, or small ids. */
export function feedsOf(model: Model, batch: number): Map<string, Tensor> {
  return new Map(
    model.graph.inputs.map((value): [string, Tensor] => {
      if (value.type?.kind !== "tensor") throw new Error(`input "${value.name}" is no tensor`);
      const { dtype, dims = [] } = value.type;
      const lengths = dims.map((dim) => (typeof dim === "number" ? dim : batch));
      const drawn = numbers(
        lengths.reduce((a, b) => a * b, 1),
        5,
      );
      return [
        value.name,
        tensorFromNumbers(dtype, lengths, dtype === "int64" ? drawn.map((x) => Math.floor(5 + 5 * x)) : drawn),
      ];
    }),
  );
}

/** Largest difference over the largest magnitude, over all outputs. */
export function distance(a: ReadonlyMap<string, Tensor>, b: ReadonlyMap<string, Tensor>): number {
  let worst = 0;
  for (const [name, expected] of a) {
    const [x, y] = [numbersOf(expected), numbersOf(b.get(name)!)];
    const scale = x.reduce((largest, value) => Math.max(largest, Math.abs(value)), 1e-30);
    worst = x.reduce((most, value, i) => Math.max(most, Math.abs(value - y[i]!) / scale), worst);
  }
  return worst;
}
