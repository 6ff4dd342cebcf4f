/** @file Gradients of control flow: an If has an If, a Scan a Scan from the back. A Loop that cannot stop early is a Scan. */

import { atLeast, nth } from "../../checked.ts";
import { UnsupportedError } from "../../errors.ts";
import {
  constantOf,
  dataTypes,
  describeNode,
  type Graph,
  graphAttribute,
  graphOf,
  indexOf,
  numbersOf,
  tensorFromNumbers,
  type Value,
  withoutDeadNodes,
} from "../../ir/index.ts";
import { cloneGraph } from "../clone.ts";
import type { GradientBuilder } from "../gradient-builder.ts";
import { reverseScan } from "../reverse-scan.ts";
import {
  type Cotangents,
  type Expansion,
  expand,
  type GradientEntry,
  type GradientRule,
  operandsOf,
  refuse,
} from "../rule.ts";
import { bodyOutputs, emitScan } from "../scan.ts";

/** The same condition chooses between the gradients of the branches, which recompute what they need of the forward branch. */
const conditional: GradientRule = (g, node, dy, needs) => {
  const operands = operandsOf(node);
  const wanted = operands.filter((value, i): value is Value => value !== undefined && i > 0 && needs[i] === true);
  const known = g.constant(node.inputs[0]);
  const taken = known && (numbersOf(known)[0] === 0 ? "else_branch" : "then_branch");
  const branch = (name: string): Graph =>
    branchGradient(g, graphOf(node, name)!, taken === undefined || taken === name ? dy : [], wanted);
  const gradients = g.ops("If", [node.inputs[0]], wanted.length, {
    then_branch: graphAttribute(branch("then_branch")),
    else_branch: graphAttribute(branch("else_branch")),
  });
  const byValue = new Map(wanted.map((value, i) => [value, nth(gradients, i)]));
  return operands.map((value) => value && byValue.get(value));
};

function branchGradient(g: GradientBuilder, branch: Graph, dy: Cotangents, wanted: readonly Value[]): Graph {
  const inner = g.inside(branch);
  const cotangents = new Map<Value, Value>();
  branch.outputs.forEach((value, i) => {
    if (dy[i]) accumulate(inner, cotangents, value, dy[i]);
  });
  inner.backward(branch.nodes, cotangents, new Set(wanted));
  const gradients = wanted.map((value) => cotangents.get(value) ?? inner.zerosLike(value));
  const outputs = bodyOutputs(inner, gradients);
  const nodes = [...branch.nodes.map(g.current), ...inner.raw.nodes];
  const initializers = new Map([...branch.initializers, ...inner.raw.initializers]);
  const living = withoutDeadNodes(nodes, initializers, outputs);
  return cloneGraph({ ...branch, inputs: [], outputs, ...living }, g.fresh);
}

function accumulate(g: GradientBuilder, cotangents: Map<Value, Value>, value: Value, contribution: Value): void {
  const sum = cotangents.get(value);
  cotangents.set(value, sum ? g.add(sum, contribution) : contribution);
}

/** Iteration numbers become a sequence that is scanned, the carried values its states. */
const loop: Expansion = (g, node) => {
  const [trips, condition, ...states] = node.inputs as Value[];
  const body = graphOf(node, "body")!;
  const [iteration, going, ...carried] = body.inputs;
  const [goesOn, ...results] = atLeast(body.outputs, 1);
  if (!trips || !iteration || !going || !isAlways(g, body, condition, going, goesOn)) {
    throw new UnsupportedError("Loop has a gradient only where it runs a given number of times", {
      expected: "a trip count, and a condition that stays true",
      where: describeNode(node),
      hint: "Rewrite the loop as a Scan.",
    });
  }
  const count = g.rank(trips) === 0 ? trips : g.op("Squeeze", [trips]);
  const steps = g.op("Range", [g.number(0, trips), count, g.number(1, trips)]);
  const step: Graph = {
    ...body,
    inputs: [...carried, iteration],
    outputs: results,
    initializers: new Map([...body.initializers, [going, tensorFromNumbers("bool", [], [1])]]),
  };
  return emitScan(g, {
    states,
    sequences: [{ value: steps, axis: 0, reversed: false }],
    body: withOwnOutputs(g, step),
    results: results.slice(states.length).map(() => ({ axis: 0, reversed: false })),
  });
};

function isAlways(g: GradientBuilder, body: Graph, first: Value | undefined, going: Value, next: Value): boolean {
  const isTrue = (value: Value | undefined): boolean => {
    const constant = value && (constantOf(body, value) ?? g.constant(value));
    return constant !== undefined && numbersOf(constant)[0] === 1;
  };
  const producer = indexOf(body).producers.get(next);
  const source = producer?.opType === "Identity" ? producer.inputs[0] : next;
  return (first === undefined || isTrue(first)) && (source === going || isTrue(source));
}

/** Outputs that are inputs, or given twice, are copied, as ONNX Runtime wants it. */
function withOwnOutputs(g: GradientBuilder, body: Graph): Graph {
  const own = new Set(body.nodes.flatMap(({ outputs }) => outputs));
  const inner = g.inside(body);
  const outputs = body.outputs.map((value) => {
    const isFresh = own.delete(value);
    return isFresh ? value : inner.raw.op("Identity", [value]);
  });
  return { ...body, nodes: [...body.nodes, ...inner.raw.nodes], outputs };
}

const scan: GradientRule = (g, node, dy, needs) =>
  reverseScan(
    g,
    node,
    dy,
    needs.map((need, i) => need && isFloat(operandsOf(node)[i])),
  );

function isFloat(value: Value | undefined): boolean {
  return value?.type?.kind === "tensor" && dataTypes[value.type.dtype].kind === "float";
}

export const controls = {
  If: conditional,
  Scan: scan,
  Loop: expand(loop),
  SequenceMap: refuse("sequences have no cotangents; use Scan"),
} satisfies Record<string, GradientEntry>;
