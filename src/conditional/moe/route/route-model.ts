/** @file The dense feed-forward blocks of a trained model become mixtures of experts. */

import { lastOf, nth } from "../../../checked.ts";
import { UnsupportedError, UsageError } from "../../../errors.ts";
import {
  type Draft,
  editModel,
  type Graph,
  graphBuilder,
  type Model,
  type Names,
  namesOf,
  opsetOf,
  TARGET_OPSET,
  type Value,
  withGraph,
  withoutDeadNodes,
} from "../../../ir/index.ts";
import { layersInto } from "../../../nn/index.ts";
import { builderInference, inferShapes, requireSameOutputs } from "../../../ops/index.ts";
import { checkOptions, type OptionNames } from "../../../options.ts";
import { fixedSource } from "../gates/fixed-source.ts";
import { checkChoices, checkExperts, checkFactor } from "../scores.ts";
import { type FeedForward, feedForwards, nodesOf } from "./feed-forward.ts";
import {
  type Activity,
  type RouteMethod,
  type RouteMethodName,
  type RouteSettings,
  routeMethods,
} from "./methods/index.ts";

export interface RouteOptions {
  readonly experts: number;
  /** k, the experts per token; 1 by default. */
  readonly topK?: number;
  /** `copy` by default. */
  readonly method?: RouteMethodName;
  /** Factor of the load-balance loss; 0.01 by default. */
  readonly balance?: number;
  /** Factor of the router's z-loss; 0.001 by default. */
  readonly zWeight?: number;
  /** Decides random routers and the first centres of clusters. */
  readonly seed?: number;
  /** What hidden units gave on some tokens, by the name of the block's output; `measureActivity` measures it. */
  readonly activity?: ReadonlyMap<string, Activity>;
}

export interface RoutedBlock {
  /** The value that the block makes, which keeps its name. */
  readonly output: string;
  /** Length of what it reads, of its hidden layer, and of what it makes. */
  readonly widths: readonly [number, number, number];
  /** Multiply-accumulates per token afterwards over those before, the router left out. */
  readonly work: number;
}

export interface RoutedModel {
  /** With the losses and measures of the gates among its outputs, which `moeTraining` reads and `withoutSideOutputs` removes. */
  readonly model: Model;
  readonly blocks: readonly RoutedBlock[];
}

const routeOptionsNames: OptionNames<RouteOptions> = {
  experts: true,
  topK: true,
  method: true,
  balance: true,
  zWeight: true,
  seed: true,
  activity: true,
};

/**
 * Every block x → φ(x·W₁ + b₁)·W₂ + b₂ of the main graph, found by structure, becomes a mixture of experts over its input; all else
 * stays. With `copy`, and with `split` and all experts chosen, the model computes what it computed, up to rounding.
 *
 * @throws UsageError for k > experts and hidden units that cannot be divided, UnsupportedError without such a block and for another opset.
 */
export function routeModel(model: Model, options: RouteOptions): RoutedModel {
  checkOptions(options, routeOptionsNames);
  const typed = inferShapes(model);
  const { blocks, settings, method } = checkedRoute(typed, options);
  const names = namesOf(typed);
  const parts = blocks.map((block, i) => {
    const activity = options.activity?.get(block.second.output.name);
    return mixture(block, { ...settings, seed: settings.seed + i }, method, names, activity);
  });
  const routed = editModel(typed, (draft) => {
    for (const [i, block] of blocks.entries()) replace(draft, block, nth(parts, i));
    draft.setOutputs([...typed.graph.outputs, ...parts.flatMap(({ graph }) => graph.outputs)]);
  });
  const { graph } = routed;
  const live = withGraph(routed, { ...graph, ...withoutDeadNodes(graph.nodes, graph.initializers, graph.outputs) });
  requireSameOutputs(typed, live);
  return {
    model: live,
    blocks: blocks.map((block) => factsOf(block, method, settings)),
  };
}

/** The blocks that `routeModel` would route, after the same checks. */
export function surveyRoute(model: Model, options: RouteOptions): RoutedBlock[] {
  checkOptions(options, routeOptionsNames);
  const { blocks, settings, method } = checkedRoute(model, options);
  return blocks.map((block) => factsOf(block, method, settings));
}

function checkedRoute(model: Model, options: RouteOptions) {
  const settings = settingsOf(options);
  const method: RouteMethod = routeMethods[options.method ?? "copy"];
  const blocks = requireBlocks(model);
  for (const block of blocks) method.check(block, settings);
  return { blocks, settings, method };
}

function factsOf({ first, second }: FeedForward, method: RouteMethod, settings: RouteSettings): RoutedBlock {
  return {
    output: second.output.name,
    widths: [first.fanIn, first.fanOut, second.fanOut],
    work: method.work(settings),
  };
}

/** The blocks of a model of lithe's opset, whose shapes are known. */
export function requireBlocks(model: Model): readonly FeedForward[] {
  if (opsetOf(model) !== TARGET_OPSET) {
    throw new UnsupportedError("routing needs a model of lithe's opset", {
      expected: `opset ${TARGET_OPSET}`,
      got: `opset ${opsetOf(model)}`,
      hint: "Run the pass upgradeOpset first.",
    });
  }
  const blocks = feedForwards(model.graph);
  if (blocks.length > 0) return blocks;
  throw new UnsupportedError("the model has no feed-forward block", {
    expected: "a MatMul or Gemm, an element-wise activation, a MatMul or Gemm, with constant float32 matrices",
    got: `${model.graph.nodes.length} nodes without one`,
  });
}

function settingsOf(options: RouteOptions): RouteSettings {
  const { experts, topK = 1, balance = 0.01, zWeight = 0.001, seed = 0, method = "copy" } = options;
  checkExperts(experts, "route");
  checkChoices(topK, experts, "route");
  checkFactor("balance", balance, "route");
  checkFactor("zWeight", zWeight, "route");
  if (Object.hasOwn(routeMethods, method)) return { experts, topK, balance, zWeight, seed };
  throw new UsageError("there is no such method", { expected: Object.keys(routeMethods).join(", "), got: method });
}

interface Mixture {
  readonly graph: Graph;
  /** What it makes. */
  readonly made: Value;
}

function mixture(
  block: FeedForward,
  settings: RouteSettings,
  method: RouteMethod,
  names: Names,
  activity: Activity | undefined,
): Mixture {
  const prefix = `${block.second.output.name}/moe/`;
  const g = graphBuilder({ names, infer: builderInference(TARGET_OPSET), prefix });
  const made = method.build(layersInto(g, fixedSource(settings.seed), prefix), block, settings, activity);
  return { graph: g.build(), made };
}

/** Puts the mixture where the block's last node stood; its result takes the place of the block's. */
function replace(draft: Draft, block: FeedForward, { graph, made }: Mixture): void {
  const nodes = nodesOf(block);
  const last = lastOf(nodes);
  for (const node of nodes) if (node !== last) draft.remove(node);
  draft.replaceNode(last, ...graph.nodes);
  draft.substitute(made, block.second.output);
  for (const [value, data] of graph.initializers) draft.setInitializer(value, data);
}
