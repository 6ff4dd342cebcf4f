/** @file A model in which the chosen regions are cut out of the picture, and nothing else. */
import { nth } from "../../../checked.ts";
import { UnsupportedError, UsageError } from "../../../errors.ts";
import {
  editGraph,
  type Graph,
  type Model,
  type Names,
  type Node,
  namesOf,
  producerOf,
  type Value,
  withGraph,
} from "../../../ir/index.ts";
import type { Layers } from "../../../nn/index.ts";
import { inferShapes, requireSameOutputs } from "../../../ops/index.ts";
import { keepOutputs } from "../../lowering/keep-outputs.ts";
import { outputsNamed } from "../../lowering/outputs-named.ts";
import { replaceNode } from "../../lowering/replace-node.ts";
import { CROPS, PLACES } from "./focus-regions.ts";

/** Names of the outputs with the places that `focusRegions` chooses. */
export function regionsOf(model: Model): string[] {
  return outputsNamed(model, PLACES);
}

/**
 * The model with regions read by their pixels at the places of the best scores, without the noise and the products of training: the same
 * answers, and the work is that of the chosen regions. Places and crops are outputs no more.
 *
 * @throws UsageError for a model without regions, UnsupportedError where passes have changed how they are chosen.
 */
export async function exportRegions(model: Model): Promise<Model> {
  const places = regionsOf(model);
  if (places.length === 0) throw new UsageError("the model has no regions", { expected: `outputs named …/${PLACES}` });
  const typed = inferShapes(model);
  const scope = namesOf(typed);
  const graph = places.reduce((before, name) => withPixels(before, name, scope), typed.graph);
  const side = new Set(places.flatMap((name) => [name, cropsOf(name)]));
  const outputs = graph.outputs.filter(({ name }) => !side.has(name));
  const exported = await keepOutputs(withGraph(typed, graph), outputs);
  requireSameOutputs(model, exported);
  return exported;
}

const cropsOf = (places: string): string => `${places.slice(0, -PLACES.length)}${CROPS}`;

function withPixels(graph: Graph, places: string, scope: Names): Graph {
  const found = selectionOf(graph, places);
  return editGraph(graph, (draft) => replaceNode(draft, scope, found.node, (n) => pixelsAt(n, found)), scope);
}

interface Selection {
  /** Shapes the crops. */
  readonly node: Node;
  readonly shape: Value;
  /** [batch, channels, pixels]. */
  readonly flat: Value;
  /** [cells, pixels of a region]. */
  readonly table: Value;
  /** [batch, cells], without noise. */
  readonly scores: Value;
  readonly count: Value;
}

function selectionOf(graph: Graph, places: string): Selection {
  const cropNodes = chainTo(graph, cropsOf(places), ["Identity", "Reshape", "MatMul"]);
  const [, node, product] = cropNodes;
  const [, , gather] = chainFrom(graph, nth(product!.inputs, 1), ["Reshape", "Transpose", "Gather"], places);
  const [, best, noisy] = chainTo(graph, places, ["Identity", "TopK", "Add"]);
  return {
    node: node!,
    shape: nth(node!.inputs, 1),
    flat: nth(gather!.inputs, 0),
    table: nth(gather!.inputs, 1),
    scores: nth(noisy!.inputs, 0),
    count: nth(best!.inputs, 1),
  };
}

function chainTo(graph: Graph, name: string, opTypes: readonly string[]): Node[] {
  const output = graph.outputs.find((value) => value.name === name);
  if (!output) throw new UsageError("the model has no such output", { got: JSON.stringify(name) });
  return chainFrom(graph, output, opTypes, name);
}

/** The nodes behind a value, each making the first input of the one before. */
function chainFrom(graph: Graph, value: Value, opTypes: readonly string[], where: string): Node[] {
  let next: Value | undefined = value;
  return opTypes.map((opType) => {
    const node: Node | undefined = next && producerOf(graph, next);
    if (node?.opType !== opType) {
      throw new UnsupportedError("regions are not chosen as focusRegions does it", {
        expected: opType,
        got: node?.opType ?? "nothing",
        where: `output ${JSON.stringify(where)}`,
        hint: "Export the model before other passes run over it.",
      });
    }
    next = node.inputs[0];
    return node;
  });
}

/** [batch · count, channels, size, size]. */
function pixelsAt(n: Layers, { flat, table, scores, count, shape }: Selection): Value {
  const [, places] = n.ops("TopK", [scores, count], 2, { axis: -1, largest: 1, sorted: 1 });
  const pixels = n.gather(table, places, 0);
  const rows = n.reshape(pixels, [0, 1, -1]);
  const channels = n.op("Shape", [flat], { start: 0, end: 2 });
  const wanted = n.concat([channels, n.ints([1])], 0);
  const picked = n.op("GatherElements", [flat, n.expand(rows, wanted)], { axis: 2 });
  const each = n.concat([channels, n.op("Shape", [pixels], { start: 1 })], 0);
  const regions = n.transpose(n.op("Reshape", [picked, each]), [0, 2, 1, 3]);
  return n.op("Reshape", [regions, shape]);
}
