/** @file A model in which a frame that its gate skips is not computed. */
import { nth } from "../../../checked.ts";
import { UnsupportedError, UsageError } from "../../../errors.ts";
import {
  editGraph,
  forgetTypes,
  type Graph,
  type Model,
  type Names,
  type Node,
  namesOf,
  producerOf,
  readsOf,
  tensorFromNumbers,
  usesOf,
  type Value,
  withGraph,
} from "../../../ir/index.ts";
import type { Layers } from "../../../nn/index.ts";
import { inferShapes, requireSameOutputs } from "../../../ops/index.ts";
import { exclusive } from "../../lowering/exclusive.ts";
import { keepOutputs } from "../../lowering/keep-outputs.ts";
import { outputsNamed } from "../../lowering/outputs-named.ts";
import { replaceNode } from "../../lowering/replace-node.ts";
import { withRoundedGates } from "../../lowering/round-gates.ts";
import { KEPT } from "./skip-frames.ts";

/** Names of the outputs with the gates of `skipFrames`. */
export function framesOf(model: Model): string[] {
  return outputsNamed(model, KEPT);
}

/**
 * The model in which the frames that are kept, of all samples together, are gathered before the network over frames and spread after it: the
 * same answers for batches of any size, and the work is that of the kept frames. Gates are outputs no more.
 *
 * @throws UsageError for a model without such gates; UnsupportedError for a network over frames that reads anything else, and where passes
 * have changed how frames are skipped.
 */
export async function exportFrames(model: Model): Promise<Model> {
  const gates = framesOf(model);
  if (gates.length === 0) throw new UsageError("the model skips no frames", { expected: `outputs named …/${KEPT}` });
  const typed = inferShapes(withRoundedGates(model, gates));
  const scope = namesOf(typed);
  const graph = gates.reduce((before, name) => compacted(before, name, scope), typed.graph);
  const outputs = graph.outputs.filter(({ name }) => !gates.includes(name));
  const live = await keepOutputs(withGraph(typed, graph), outputs);
  const exported = inferShapes(forgetTypes(live));
  requireSameOutputs(model, exported);
  return exported;
}

function compacted(graph: Graph, gateName: string, scope: Names): Graph {
  const { gate, scan, sequence, rows } = framesIn(graph, gateName);
  const [features, shape] = sequence.inputs as [Value, Value];
  return editGraph(
    graph,
    (draft) => {
      replaceNode(draft, scope, rows, (n) => {
        const kept = n.reshape(n.op("NonZero", [flat(n, gate)]), [-1]);
        return n.gather(n.op("Reshape", rows.inputs), kept, 0);
      });
      replaceNode(draft, scope, scan, (n) => {
        const axis = n.constant("axis", tensorFromNumbers("int64", [], [0]));
        const count = n.op("CumSum", [n.cast(flat(n, gate), "int64"), axis]);
        const last = n.sub(count, n.constant("one", tensorFromNumbers("int64", [], [1])));
        return n.op("Reshape", [n.gather(features, last, 0), shape]);
      });
    },
    scope,
  );
}

function flat(n: Layers, gate: Value): Value {
  return n.reshape(gate, [-1]);
}

interface Frames {
  /** [batch, time, 1]. */
  readonly gate: Value;
  /** Carries what the last kept frame gave. */
  readonly scan: Node;
  /** Gives the features of all frames their axis of time. */
  readonly sequence: Node;
  /** Makes a row of each frame. */
  readonly rows: Node;
}

function framesIn(graph: Graph, gateName: string): Frames {
  const copy = producerOf(graph, graph.outputs.find(({ name }) => name === gateName)!);
  const gate = copy?.opType === "Identity" ? copy.inputs[0] : undefined;
  const scan = gate && usesOf(graph, gate).find(({ node }) => node?.opType === "Scan")?.node;
  const sequence = scan && producerOf(graph, nth(scan.inputs, 1));
  const last = sequence?.opType === "Reshape" ? producerOf(graph, nth(sequence.inputs, 0)) : undefined;
  const inner = last ? exclusive(graph, last) : new Set<Node>();
  const rows = graph.nodes.find((node) => inner.has(node));
  if (!gate || !scan || !sequence || rows?.opType !== "Reshape") {
    throw new UnsupportedError("frames are not skipped as skipFrames does it", {
      where: `output ${JSON.stringify(gateName)}`,
      hint: "Export the model before other passes run over it.",
    });
  }
  checkAlone(graph, inner, rows);
  return { gate, scan, sequence, rows };
}

/** A network over frames that read something else would read it for all frames. */
function checkAlone(graph: Graph, inner: ReadonlySet<Node>, rows: Node): void {
  const own = new Set([...inner].flatMap(({ outputs }) => outputs));
  for (const node of inner) {
    const other = readsOf(node).find((value) => !own.has(value) && !graph.initializers.has(value));
    if (node === rows || !other) continue;
    throw new UnsupportedError("the network over frames reads more than its frame", {
      got: `value ${JSON.stringify(other.name)}`,
      where: `node ${JSON.stringify(node.name)}`,
    });
  }
}
