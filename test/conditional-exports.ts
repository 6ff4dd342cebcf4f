/** @file What conditional computation exports for inference, one model for each way, with inputs. */
import { evaluateWith } from "../src/accelerate/index.ts";
import {
  addExits,
  atWidth,
  cascade,
  type DispatchName,
  dispatches,
  exportEarlyExit,
  exportSkipping,
  type Gate,
  gates,
  mlpExpert,
  moeGpt,
  moeLayer,
  reduceTokens,
  routeModel,
  skippable,
  slimmable,
  type TokenReductionName,
  tokenReductions,
  withoutSideOutputs,
} from "../src/conditional/index.ts";
import { random } from "../src/data/index.ts";
import { type Model, type Tensor, tensorFromNumbers } from "../src/ir/index.ts";
import { vit } from "../src/models/index.ts";
import { conv, dimsOf, type Layers, linear, network, normal } from "../src/nn/index.ts";
import { openSession } from "../src/runtime/index.ts";

const WIDTH = 16;
const HIDDEN = 64;
const EXPERTS = 4;

type Make = () => Model | Promise<Model>;

function drawn(dims: readonly number[], seed = 7): Tensor {
  const source = random(seed);
  const count = dims.reduce((a, b) => a * b, 1);
  return tensorFromNumbers(
    "float32",
    dims,
    Array.from({ length: count }, () => source.normal()),
  );
}

/** Inputs for a model whose only input has these dims behind the batch. */
export function feedsFor({ graph }: Model, batch: number, seed = 7): Map<string, Tensor> {
  const input = graph.inputs[0]!;
  const dims = [batch, ...dimsOf(input).slice(1).map(Number)];
  if (input.name !== "ids") return new Map([[input.name, drawn(dims, seed)]]);
  const source = random(seed);
  const ids = Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => Math.floor(11 * source.uniform()));
  return new Map([[input.name, tensorFromNumbers("int64", dims, ids)]]);
}

/** A gate for each dispatch. */
const gateFor: Readonly<Record<DispatchName, Gate>> = {
  dropless: gates["top-k"]({ k: 2 }),
  capacity: gates["top-k"]({ k: 2 }),
  dense: gates["top-k"]({ k: 2 }),
  skipping: gates["top-k"]({ k: 2 }),
  "by-expert": gates["expert-choice"](),
  slots: gates["soft-slots"](),
  "moe-operator": gates["top-k"]({ k: 2 }),
};

/** One mixture between two linear layers, with its side outputs. */
export function mixture(dispatch: DispatchName): Model {
  return network(random(3), (n) => {
    const x = n.input("x", "float32", ["batch", 4, WIDTH]);
    const expert = mlpExpert({ hidden: HIDDEN, activation: "Relu" });
    const settings = { gate: gateFor[dispatch], expert, experts: EXPERTS, dispatch };
    n.output(linear(n.scope("out"), moeLayer(n.scope("moe"), x, settings), 5), "y");
  });
}

/** Experts over all rows as products with stacked matrices, weighed by a softmax. */
export function stackedExperts(): Model {
  return network(random(4), (n) => {
    const x = n.input("x", "float32", ["batch", WIDTH]);
    const layer = (scope: Layers, rows: ReturnType<Layers["input"]>, dims: readonly [number, number]) => {
      const product = scope.op("MatMul", [rows, scope.parameter("weight", [EXPERTS, ...dims], normal(0.3))]);
      return scope.op("Add", [product, scope.parameter("bias", [EXPERTS, 1, dims[1]], normal(0.3))]);
    };
    const hidden = n.op("Relu", [layer(n.scope("in"), x, [WIDTH, HIDDEN])]);
    const answers = layer(n.scope("out"), hidden, [HIDDEN, WIDTH]);
    const weights = n.op("Softmax", [linear(n.scope("gate"), x, EXPERTS)], { axis: -1 });
    const apart = n.op("Unsqueeze", [n.op("Transpose", [weights], { perm: [1, 0] }), n.ints([2])]);
    const sum = n.op("ReduceSum", [n.op("Mul", [answers, apart]), n.ints([0])], { keepdims: 0 });
    n.output(linear(n.scope("head"), sum, 5), "y");
  });
}

const small = { vocabulary: 11, context: 8, width: WIDTH, depth: 2, heads: 2, hidden: HIDDEN, every: 1 } as const;

function pictures(n: Layers) {
  return n.input("input", "float32", ["batch", 1, 8, 8]);
}

async function earlyExit(): Promise<Model> {
  const base = network(random(1), (n) => {
    let y = pictures(n);
    for (const [i, channels] of [6, 8, 8].entries()) {
      y = n.op("Relu", [conv(n.scope(`stage${i}`), y, channels, { kernel: 3, stride: i === 0 ? 1 : 2 })]);
    }
    n.output(linear(n.scope("head"), n.op("Flatten", [y], { axis: 1 }), 4), "logits");
  });
  const added = addExits(base, random(2), { at: 2 });
  return exportEarlyExit(added.model, { ...added, thresholds: [0.3, 0.31] });
}

function skipping(): Promise<Model> {
  const gated = network(random(1), (n) => {
    let y = pictures(n);
    y = conv(n.scope("stem"), y, 6, { kernel: 3 });
    for (const [i, open] of [3, -3, 0].entries()) {
      const layer = (scope: Layers, x: typeof y) => n.op("Tanh", [conv(scope.scope("conv"), x, 6, { kernel: 3 })]);
      y = skippable(n.scope(`layer${i}`), y, layer, { open });
    }
    n.output(linear(n.scope("head"), n.op("Flatten", [y], { axis: 1 }), 4), "logits");
  });
  return exportSkipping(gated);
}

function narrow(): Promise<Model> {
  const slim = slimmable(random(1), {
    widths: [0.5],
    input: pictures,
    build(n, x, width) {
      const y = n.op("Relu", [conv(n.scope("conv"), x, 16 * width, { kernel: 3, stride: 2 })]);
      return linear(n.scope("head"), n.op("ReduceMean", [y, n.ints([2, 3])], { keepdims: 0 }), 4);
    },
  });
  return atWidth(slim.model, slim.outputs[1]!.name, evaluateWith(openSession));
}

function fewerTokens(reduction: TokenReductionName): Model {
  const options = { size: 8, patch: 2, width: WIDTH, depth: 2, heads: 2, channels: 1, classes: 5 };
  return reduceTokens(vit(random(3), options), { reduction, remove: 3 });
}

function routed(): Promise<Model> {
  const dense = network(random(5), (n) => {
    const x = n.input("x", "float32", ["batch", 4, WIDTH]);
    const inner = n.op("Gelu", [linear(n.scope("in"), x, 4 * HIDDEN)]);
    n.output(linear(n.scope("head"), n.op("Add", [x, linear(n.scope("out"), inner, WIDTH)]), 5), "y");
  });
  return withoutSideOutputs(routeModel(dense, { experts: EXPERTS, topK: 2, method: "split" }).model);
}

function tail(): Promise<Model> {
  const experts = [8, 64].map((hidden) => (n: Layers, rows: ReturnType<Layers["input"]>) => {
    return linear(n.scope("out"), n.op("Relu", [linear(n.scope("in"), rows, hidden)]), 5);
  });
  const model = network(random(6), (n) => {
    const x = n.input("x", "float32", ["batch", WIDTH]);
    n.output(cascade(n.scope("tail"), x, { experts, thresholds: [0.4] }), "logits");
  });
  return withoutSideOutputs(model);
}

/** Models without what only training reads. */
export const conditionalExports: Readonly<Record<string, Make>> = {
  ...Object.fromEntries(
    (Object.keys(dispatches) as DispatchName[]).map((name): [string, Make] => [
      `a mixture, ${name}`,
      () => withoutSideOutputs(mixture(name)),
    ]),
  ),
  "a GPT of mixtures, dropless": () => withoutSideOutputs(moeGpt(random(2), { ...small, experts: EXPERTS })),
  "a GPT of mixtures, skipping": () =>
    withoutSideOutputs(moeGpt(random(2), { ...small, experts: EXPERTS, dispatch: "skipping" })),
  "early exit": earlyExit,
  "skippable layers": skipping,
  "one width": narrow,
  ...Object.fromEntries(
    (Object.keys(tokenReductions) as TokenReductionName[]).map((name): [string, Make] => [
      `fewer tokens, ${name}`,
      () => fewerTokens(name),
    ]),
  ),
  "a routed network": routed,
  "a cascade": tail,
};
