/** @file The work of one run as a range, where branches, loops and lengths that the data decide make it more or less. */
import {
  type Graph,
  graphOf,
  intOf,
  intsOf,
  literalOf,
  type Model,
  type Node,
  numbersOf,
  type Tensor,
} from "../ir/index.ts";
import { checkOptions } from "../options.ts";
import { boundSymbols, type CostOptions, costOptionsNames, costWith } from "./costs.ts";
import { asTensor } from "./dims.ts";
import { type Inference, inferWith } from "./infer.ts";
import { longestSpec } from "./longest.ts";
import { specOf } from "./spec-of.ts";

/** Multiply-accumulates that are no fewer than `least` and no more than `most`; `undefined` where nothing bounds them. */
export interface WorkRange {
  readonly least: number;
  readonly most: number | undefined;
}

/** The multiply-accumulates of one run. */
export interface Work extends WorkRange {
  /** Loops that run as often as the data say, with the work of one iteration. */
  readonly loops: readonly (WorkRange & { readonly node: Node })[];
  /** Nodes whose work is not bounded, as they have dims of which nothing is known. */
  readonly unbounded: readonly Node[];
}

/**
 * The least and the most multiply-accumulates of one run: of a conditional the lesser and the greater branch, of a loop its trips times its
 * body. A loop whose trips are not known before the run may do nothing, and has no most. Lengths that the data decide (of `NonZero`,
 * `Compress`, `Unique`, of parts and selections) are none at the least and all at the most, each for itself.
 */
export function workOf(model: Model, options: CostOptions = {}): Work {
  const { dims = new Map(), feeds = new Map() } = checkOptions(options, costOptionsNames);
  const given = { feeds, symbols: boundSymbols(model, dims, feeds) };
  const shortest = viewOf(model, inferWith(specOf, model, given));
  const longest = viewOf(model, inferWith(longestSpec, model, given));
  const loops: (WorkRange & { node: Node })[] = [];
  const unbounded: Node[] = [];
  return { ...workIn(model.graph, { shortest, longest, loops, unbounded }), loops, unbounded };
}

/** What is known of the nodes when lengths that the data decide are unknown, or as long as they can be. */
interface View {
  readonly inference: Inference;
  readonly macs: ReadonlyMap<Node, number | undefined>;
}

interface Walk {
  readonly shortest: View;
  readonly longest: View;
  readonly loops: (WorkRange & { node: Node })[];
  readonly unbounded: Node[];
}

const none: WorkRange = { least: 0, most: 0 };

function viewOf(model: Model, inference: Inference): View {
  return { inference, macs: new Map(costWith(model, inference).byNode.map(({ node, macs }) => [node, macs])) };
}

function workIn(graph: Graph, walk: Walk): WorkRange {
  return graph.nodes.map((node) => workAt(node, walk)).reduce(sum, none);
}

function workAt(node: Node, walk: Walk): WorkRange {
  if (!walk.longest.inference.reached(node)) return none;
  const own = { least: walk.shortest.macs.get(node) ?? 0, most: walk.longest.macs.get(node) };
  if (own.most === undefined) walk.unbounded.push(node);
  if (node.domain !== "") return own;
  if (node.opType === "If") return sum(own, branchesOf(node, walk));
  const body = graphOf(node, "body");
  return body ? sum(own, repeated(node, body, walk)) : own;
}

function branchesOf(node: Node, walk: Walk): WorkRange {
  const [whenTrue, whenFalse] = ["then_branch", "else_branch"].map((name) => graphOf(node, name));
  const branch = (graph: Graph | undefined) => (graph ? workIn(graph, walk) : none);
  const condition = walk.shortest.inference.facts(node).symbols(0)?.[0];
  if (typeof condition === "number") return branch(condition === 0 ? whenFalse : whenTrue);
  const [a, b] = [branch(whenTrue), branch(whenFalse)];
  return { least: Math.min(a.least, b.least), most: bounded(a.most, b.most, Math.max) };
}

function repeated(node: Node, body: Graph, walk: Walk): WorkRange {
  const once = workIn(body, walk);
  const trips = tripsOf(node, body, walk);
  if (trips.most === undefined && once.most !== 0) walk.loops.push({ ...once, node });
  const most = once.most === 0 ? 0 : bounded(once.most, trips.most, (a, b) => a * b);
  return { least: once.least * trips.least, most: trips.most === 0 ? 0 : most };
}

function tripsOf(node: Node, body: Graph, { shortest, longest }: Walk): WorkRange {
  if (node.opType === "Loop") return loopTrips(node, body, shortest.inference);
  if (node.opType !== "Scan") return { least: 0, most: undefined };
  return { least: scanTrips(node, shortest.inference) ?? 0, most: scanTrips(node, longest.inference) };
}

/** Inputs: the most trips, and whether there is a first. The body says whether there is another. */
function loopTrips(node: Node, body: Graph, inference: Inference): WorkRange {
  const facts = inference.facts(node);
  const [limit, begins] = [0, 1].map((i) => facts.symbols(i)?.[0]);
  const most = typeof limit === "number" ? Math.max(0, limit) : undefined;
  if (begins === 0 || most === 0) return none;
  const isBegun = !node.inputs[1] || begins === 1;
  if (isBegun && goesOn(body)) return { least: most ?? 0, most };
  return { least: isBegun && (most !== undefined || !node.inputs[0]) ? 1 : 0, most };
}

/** Whether a body never ends its loop: it hands on the condition that it was given, or a constant. */
function goesOn({ inputs, outputs, nodes }: Graph): boolean {
  let condition = outputs[0];
  for (const node of nodes.toReversed()) {
    if (node.outputs[0] !== condition) continue;
    if (node.opType === "Constant") return isTrue(literalOf(node));
    if (node.opType !== "Identity") return false;
    condition = node.inputs[0];
  }
  return condition !== undefined && condition === inputs[1];
}

function isTrue(condition: Tensor | undefined): boolean {
  return condition !== undefined && numbersOf(condition)[0] === 1;
}

/** The length of the sequences; before opset 9 for every sample of the batch. */
function scanTrips(node: Node, inference: Inference): number | undefined {
  const facts = inference.facts(node);
  const first = node.inputs.length - intOf(node, "num_scan_inputs", 0);
  const dims = asTensor(facts.input(first))?.dims;
  if (!dims) return undefined;
  if (facts.version < 9) return bounded(lengthIn(dims[0]), lengthIn(dims[1]), (a, b) => a * b);
  return lengthIn(dims.at(intsOf(node, "scan_input_axes")?.[0] ?? 0));
}

function lengthIn(dim: number | string | undefined): number | undefined {
  return typeof dim === "number" ? dim : undefined;
}

function sum(a: WorkRange, b: WorkRange): WorkRange {
  return { least: a.least + b.least, most: bounded(a.most, b.most, (x, y) => x + y) };
}

function bounded(
  a: number | undefined,
  b: number | undefined,
  join: (a: number, b: number) => number,
): number | undefined {
  return a === undefined || b === undefined ? undefined : join(a, b);
}
