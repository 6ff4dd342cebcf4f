/**
 * @file Rematerialisation (Chen et al. 2016, arXiv:1604.06174): activations that are not kept are computed again, from the kept
 * ones before them, when the backward part needs them.
 */

import { must, nth } from "../checked.ts";
import { UsageError } from "../errors.ts";
import {
  type Graph,
  type GraphBuilder,
  graphBuilder,
  type Names,
  type Node,
  names,
  namesIn,
  producerOf,
  readsOf,
  subgraphsOf,
  tensorFromNumbers,
  type Value,
} from "../ir/index.ts";
import { builderInference, specOf } from "../ops/index.ts";
import { checkCount } from "../options.ts";
import type { Differentiated } from "./gradient.ts";
import { type MemoryOptions, memoryEstimate } from "./memory-estimate.ts";

/** The activations to keep; all others of the forward part are recomputed where the backward part reads them. */
export type Checkpoints = (differentiated: Differentiated) => ReadonlySet<Value>;

/**
 * The same outputs from less memory and more work. Outputs of random operators and of control flow are always kept.
 * Recomputed nodes wait for a cotangent of the backward part, so that a runtime neither runs them early nor merges them with
 * the nodes that they repeat.
 */
export function rematerialise(differentiated: Differentiated, choose: Checkpoints): Differentiated {
  const { graph, forward } = differentiated;
  const kept = new Set([...choose(differentiated), ...graph.inputs, ...graph.outputs]);
  for (const node of graph.nodes.slice(0, forward)) {
    if (isFixed(node)) for (const value of node.outputs) if (value) kept.add(value);
  }
  const scope = names(namesIn(graph));
  const replay = replayer(graph, forward, kept, scope);
  const backward = graph.nodes.slice(forward).flatMap((node) => replay.node(node));
  const initializers = new Map([...graph.initializers, ...replay.initializers]);
  return {
    ...differentiated,
    graph: { ...graph, nodes: [...graph.nodes.slice(0, forward), ...backward], initializers },
  };
}

function isFixed(node: Node): boolean {
  return subgraphsOf(node).length > 0 || specOf(node)?.exactness === "random";
}

function replayer(graph: Graph, forward: number, kept: ReadonlySet<Value>, scope: Names) {
  const early = new Set(graph.nodes.slice(0, forward));
  const g = graphBuilder({ names: scope, infer: builderInference(21), prefix: "again/" });
  const again = new Map<Value, Value>();
  let marker: Value | undefined;
  let taken = 0;

  /** What was emitted since the last call. */
  const emitted = (): Node[] => {
    const nodes = g.nodes.slice(taken);
    taken = g.nodes.length;
    return nodes;
  };

  /** The value as the backward part shall see it; nodes that make it are put into `into` before. */
  function value(of: Value, into: Node[]): Value {
    const known = again.get(of);
    if (known) return known;
    const producer = producerOf(graph, of);
    if (kept.has(of)) return hold(of, into);
    if (!producer || !early.has(producer)) return of;
    const inputs = producer.inputs.map((input) => input && value(input, into));
    const outputs = producer.outputs.map(
      (output) => output && { ...output, name: scope.fresh(`again/${output.name}`) },
    );
    producer.outputs.forEach((output, i) => void (output && again.set(output, nth(outputs, i))));
    into.push({ ...producer, name: scope.fresh(`again/${producer.name}`), inputs, outputs });
    return must(again, of);
  }

  /** A kept value as a source of recomputation, behind the barrier. */
  function hold(of: Value, into: Node[]): Value {
    if (!marker) return of;
    const held = waiting(g, of, marker);
    for (const item of emitted()) into.push(item);
    again.set(of, held);
    return held;
  }

  function node(late: Node): Node[] {
    const into: Node[] = [];
    const read = (of: Value): Value => (kept.has(of) ? of : value(of, into));
    const inputs = late.inputs.map((input) => input && read(input));
    const isChanged = inputs.some((input, i) => input !== late.inputs[i]);
    if (readsOf(late).some((of) => isFloat(of) && !early.has(producerOf(graph, of)!) && producerOf(graph, of))) {
      marker = late.outputs.find((output) => output && isFloat(output)) ?? marker;
    }
    return [...into, isChanged ? { ...late, inputs } : late];
  }

  return { node, initializers: g.initializers };
}

function isFloat({ type }: Value): boolean {
  return type?.kind === "tensor" && (type.dtype === "float32" || type.dtype === "float64" || type.dtype === "float16");
}

/**
 * x, but not before `marker` is there: a Reshape, which copies nothing, to dims that one element of the marker has a part in.
 * The part is 0, whatever the element.
 */
function waiting(g: GraphBuilder, x: Value, marker: Value): Value {
  const vector = (...numbers: number[]): Value =>
    g.constant("ints", tensorFromNumbers("int64", [numbers.length], numbers));
  const flat = g.op("Reshape", [marker, vector(-1)]);
  const element = g.op("Slice", [flat, vector(0), vector(1)]);
  const isItself = g.op("Equal", [element, element]);
  const none = g.op("Cast", [g.op("And", [isItself, g.op("Not", [isItself])])], { to: 7 });
  const dims = g.op("Add", [g.op("Shape", [x]), none]);
  const [held] = g.ops("Reshape", [x, dims], 1, { allowzero: 1 }, { name: "held" });
  return held;
}

/** Values that alone carry the forward part on: between them lie blocks. */
function boundaries({ graph, forward }: Differentiated): Value[] {
  const nodes = graph.nodes.slice(0, forward);
  const active = new Set<Value>(graph.inputs);
  const last = new Map<Value, number>();
  nodes.forEach((node, i) => {
    for (const read of readsOf(node)) last.set(read, i);
    if (readsOf(node).some((read) => active.has(read))) for (const made of node.outputs) if (made) active.add(made);
  });
  const live = new Set<Value>(graph.inputs.filter((input) => last.has(input)));
  return nodes.flatMap((node, i) => {
    for (const made of node.outputs) if (made && active.has(made) && last.has(made)) live.add(made);
    for (const value of [...live]) if (must(last, value) <= i) live.delete(value);
    return live.size === 1 ? [...live] : [];
  });
}

/**
 * Keeps every k-th value that alone separates what comes before it from what comes after. Parameters must be initializers:
 * inputs that are read late count as values that are carried along.
 */
export function everyBoundary(k: number): Checkpoints {
  checkCount("k", k);
  return (differentiated) => new Set([...new Set(boundaries(differentiated))].filter((_, i) => (i + 1) % k === 0));
}

/**
 * Keeps as many boundaries as fit: the densest choice of `everyBoundary` whose estimated peak is at most `bytes`.
 *
 * @throws UsageError saying the smallest peak that was reached, where none fits.
 */
export function withinBytes(bytes: number, options: MemoryOptions = {}): Checkpoints {
  return (differentiated) => {
    const count = new Set(boundaries(differentiated)).size;
    let best = Number.POSITIVE_INFINITY;
    for (let k = 1; k <= Math.max(1, count); k++) {
      const kept = everyBoundary(k)(differentiated);
      const { peak } = memoryEstimate(rematerialise(differentiated, () => kept).graph, options);
      if (peak <= bytes) return kept;
      best = Math.min(best, peak);
    }
    throw new UsageError("no choice of checkpoints fits into the memory", {
      expected: `at most ${bytes} bytes`,
      got: `${best} bytes at best`,
    });
  };
}
