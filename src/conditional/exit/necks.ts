import { fedInputs, type Model, readsOf, type Value } from "../../ir/index.ts";
import { costOf, inferShapes } from "../../ops/index.ts";
import { checkOptions, type OptionNames } from "../../options.ts";

export interface Neck {
  readonly value: Value;
  /** Multiply-accumulates of one sample until here, over those of the whole network. */
  readonly depth: number;
}

export interface NeckOptions {
  /**
   * Whether masks and the like may go by: what no product made and a classifier could not read, vectors and values that are spread along an
   * axis of their own. Attention reads its mask in every layer.
   */
  readonly asides?: boolean;
}

const neckOptionsNames: OptionNames<NeckOptions> = { asides: true };

/** The values that alone lead from the inputs to the outputs, in order. Values made of constants count as constants. */
export function necksOf(model: Model, options: NeckOptions = {}): Neck[] {
  const { asides = false } = checkOptions(options, neckOptionsNames);
  const typed = inferShapes(model);
  const { graph } = typed;
  const fed = fedInputs(graph);
  const lastRead = new Map<Value, number>();
  graph.nodes.forEach((node, i) => {
    for (const value of readsOf(node)) lastRead.set(value, i);
  });
  for (const value of graph.outputs) lastRead.set(value, graph.nodes.length);
  const { macs, byNode } = costOf(typed);
  const costs = new Map(byNode.map((cost) => [cost.node, cost.macs ?? 0]));
  const moving = new Set(fed);
  const costly = new Set<Value>();
  const isAside = (value: Value): boolean => asides && !costly.has(value) && isFlat(value);
  const open = new Set(fed.filter((value) => !isAside(value)));
  const necks: Neck[] = [];
  let spent = 0;
  graph.nodes.forEach((node, i) => {
    spent += costs.get(node) ?? 0;
    const isCostly = (costs.get(node) ?? 0) > 0 || readsOf(node).some((value) => costly.has(value));
    if (!readsOf(node).some((value) => moving.has(value))) return;
    for (const value of node.outputs) {
      if (!value) continue;
      moving.add(value);
      if (isCostly) costly.add(value);
      if (!isAside(value) && (lastRead.get(value) ?? -1) > i) open.add(value);
    }
    for (const value of open) if ((lastRead.get(value) ?? Number.POSITIVE_INFINITY) <= i) open.delete(value);
    const [only] = open;
    if (open.size === 1 && only && node.outputs.includes(only))
      necks.push({ value: only, depth: macs && spent / macs });
  });
  return necks;
}

/** A row per sample, or spread along an axis. */
function isFlat({ type }: Value): boolean {
  const dims = type?.kind === "tensor" ? (type.dims ?? []) : [];
  return dims.length <= 2 || dims.slice(1).includes(1);
}
