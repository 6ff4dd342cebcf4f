/** @file ONNX's training operators in standard ones: `Gradient` by differentiation, the optimizers by their formulas. */
import { atLeast, nth } from "../checked.ts";
import { InvalidModelError, UnsupportedError } from "../errors.ts";
import {
  describeNode,
  floatOf,
  type Graph,
  type GraphBuilder,
  graphBuilder,
  type Model,
  makeNode,
  type Names,
  type Node,
  names,
  namesIn,
  opsetOf,
  qualifiedName,
  stringOf,
  stringsAttribute,
  TARGET_OPSET,
  tensorFromNumbers,
  type Value,
  valuesOf,
  withGraph,
} from "../ir/index.ts";
import { builderInference } from "../ops/index.ts";
import { defaultForms } from "./default-forms.ts";
import { expandOperators } from "./expand.ts";
import { differentiateGraph } from "./gradient.ts";
import type { GradientBuilder } from "./gradient-builder.ts";
import { prepareForGradient } from "./model-gradient.ts";
import { type Cotangents, type Expand, type Expansion, expand } from "./rule.ts";

const domain = "ai.onnx.preview.training";

/** A parameter with its gradient and the optimizer's state for it. */
interface Slot {
  readonly x: Value;
  readonly gradient: Value;
  readonly states: readonly Value[];
}

type Update = (g: GradientBuilder, node: Node, rate: Value, count: Value, slot: Slot) => readonly Value[];

/** Inputs R, T, then all X, all G, and all of each state; the outputs are the new X and states in the same order. */
function optimizer(states: number, update: Update): Expansion {
  return (g, node): Cotangents => {
    const [rate, count, ...rest] = node.inputs as Value[];
    const slots = rest.length / (2 + states);
    if (!rate || !count || !Number.isInteger(slots)) {
      throw new InvalidModelError("an optimizer's operands come in groups", {
        expected: `2 + n · ${2 + states} inputs`,
        got: `${node.inputs.length}`,
        where: describeNode(node),
      });
    }
    const group = (i: number): Value[] => rest.slice(i * slots, (i + 1) * slots);
    const [xs, gradients, ...held] = atLeast(
      Array.from({ length: 2 + states }, (_, i) => group(i)),
      2,
    );
    const updated = xs.map((x, i) => {
      const regular = regularised(g, node, x, nth(gradients, i));
      return update(g, node, rate, count, { x, gradient: regular, states: held.map((list) => nth(list, i)) });
    });
    return Array.from({ length: 1 + states }, (_, part) => updated.map((results) => nth(results, part))).flat();
  };
}

/** g + c·x, the gradient of the loss with an L2 term. */
function regularised(g: GradientBuilder, node: Node, x: Value, gradient: Value): Value {
  const coefficient = floatOf(node, "norm_coefficient", 0);
  return coefficient === 0 ? gradient : g.add(g.scale(x, coefficient), gradient);
}

function isLater(g: GradientBuilder, count: Value): Value {
  return g.greater(count, 0);
}

/** H′ = H + g², x′ = x − R/(1 + T·decay)·g / (√H′ + ε). */
const adagrad: Update = (g, node, rate, count, { x, gradient, states: [h] }) => {
  const decay = g.scale(g.cast(count, g.dtype(x)), floatOf(node, "decay_factor", 0));
  const r = g.div(rate, g.add(decay, g.number(1, x)));
  const next = g.add(h!, g.mul(gradient, gradient));
  const divisor = g.add(g.sqrt(next), g.number(floatOf(node, "epsilon", 1e-6), x));
  return [g.sub(x, g.div(g.mul(r, gradient), divisor)), next];
};

/** V′ = αV + βg (β = 1 in the first step), x′ = x − R·V′, or with Nesterov x − R·(g + αV′). */
const momentum: Update = (g, node, rate, count, { x, gradient, states: [v] }) => {
  const alpha = floatOf(node, "alpha", 0);
  const beta = g.where(isLater(g, count), g.number(floatOf(node, "beta", 1), x), g.number(1, x));
  const next = g.add(g.scale(v!, alpha), g.mul(beta, gradient));
  const isNesterov = stringOf(node, "mode", "standard") === "nesterov";
  const step = isNesterov ? g.add(gradient, g.scale(next, alpha)) : next;
  return [g.sub(x, g.mul(rate, step)), next];
};

/** V′ = αV + (1 − α)g, H′ = βH + (1 − β)g², x′ = (1 − post)·(x − R·√(1 − βᵀ)/(1 − αᵀ)·V′ / (√H′ + ε)). */
const adam: Update = (g, node, rate, count, { x, gradient, states: [v, h] }) => {
  const [alpha, beta] = [floatOf(node, "alpha", 0.9), floatOf(node, "beta", 0.999)];
  const rest = (base: number): Value => g.sub(g.number(1, x), g.pow(g.number(base, x), g.cast(count, g.dtype(x))));
  const corrected = g.div(g.mul(rate, g.sqrt(rest(beta))), rest(alpha));
  const r = g.where(isLater(g, count), corrected, rate);
  const first = g.add(g.scale(v!, alpha), g.scale(gradient, 1 - alpha));
  const second = g.add(g.scale(h!, beta), g.scale(g.mul(gradient, gradient), 1 - beta));
  const divisor = g.add(g.sqrt(second), g.number(floatOf(node, "epsilon", 1e-6), x));
  const next = g.sub(x, g.div(g.mul(r, first), divisor));
  return [g.scale(next, 1 - floatOf(node, "norm_coefficient_post", 0)), first, second];
};

const optimizers: ReadonlyMap<string, Expand> = new Map([
  [`${domain}::Adagrad`, expand(optimizer(1, adagrad))],
  [`${domain}::Momentum`, expand(optimizer(1, momentum))],
  [`${domain}::Adam`, expand(optimizer(2, adam))],
]);

/**
 * The model with `Gradient`, `Adam`, `Momentum` and `Adagrad` of ai.onnx.preview.training written in standard operators, which
 * stock ONNX Runtime executes. A `Gradient` of a tensor is that of the sum of its elements.
 *
 * @throws UnsupportedError where a `Gradient` is taken at other values than those of the graph that it stands in.
 */
export async function lowerTraining(model: Model): Promise<Model> {
  const prepared = await prepareForGradient(model);
  const scope = names(namesIn(prepared.graph));
  const opset = prepared.opsets.has("") ? opsetOf(prepared) : TARGET_OPSET;
  const differentiated = lowerGradients(prepared.graph, scope, opset);
  const graph = expandOperators(differentiated, {
    find: (node) => optimizers.get(qualifiedName(node)),
    infer: builderInference(opset),
    names: scope,
    forms: defaultForms,
    chosen: () => true,
  });
  const opsets = new Map([...prepared.opsets].filter(([name]) => name !== domain));
  opsets.set("", opset);
  return withGraph({ ...prepared, opsets }, graph);
}

function lowerGradients(graph: Graph, scope: Names, opset: number): Graph {
  const at = graph.nodes.findIndex((node) => qualifiedName(node) === `${domain}::Gradient`);
  if (at < 0) return graph;
  const before = { ...graph, nodes: graph.nodes.slice(0, at) };
  const lowered = lowerGradient(before, nth(graph.nodes, at), scope, opset);
  return lowerGradients({ ...lowered, nodes: [...lowered.nodes, ...graph.nodes.slice(at + 1)] }, scope, opset);
}

/** What stands before the node, and the gradients in the node's place. */
function lowerGradient(before: Graph, node: Node, scope: Names, opset: number): Graph {
  const byName = new Map([...valuesOf(before)].map((value) => [value.name, value]));
  const [xs, zs] = [stringsAttribute(node, "xs") ?? [], stringsAttribute(node, "zs") ?? []];
  const of = byName.get(stringOf(node, "y", ""));
  const wrt = xs.map((name) => byName.get(name));
  const isHere = [...xs, ...zs].every((name, i) => node.inputs[i] !== undefined && node.inputs[i] === byName.get(name));
  if (!of || !isHere || wrt.includes(undefined)) {
    throw new UnsupportedError("Gradient is lowered only where its inputs are the values that it names", {
      expected: [...xs, ...zs].join(", "),
      got: node.inputs.map((value) => value?.name ?? "(none)").join(", "),
      where: describeNode(node),
    });
  }
  const g = graphBuilder({ names: scope, infer: builderInference(opset), prefix: "seed/" });
  const seed = filled(g, of, 1);
  const start = { ...before, nodes: [...before.nodes, ...g.nodes] };
  const { graph, gradients } = differentiateGraph(start, { of, wrt: wrt as Value[], seed, scope, opset });
  const taken = g.nodes.length;
  const results = wrt.map((value, i) => {
    const gradient = gradients.get(value!) ?? filled(g, value!, 0);
    return makeNode("Identity", [gradient], [node.outputs[i]]);
  });
  return { ...graph, nodes: [...graph.nodes, ...g.nodes.slice(taken), ...results] };
}

function filled(g: GraphBuilder, like: Value, number: number): Value {
  const dtype = like.type?.kind === "tensor" ? like.type.dtype : "float32";
  return g.op("ConstantOfShape", [g.op("Shape", [like])], { value: tensorFromNumbers(dtype, [1], [number]) });
}
