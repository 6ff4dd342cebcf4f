/** @file The gradient of a model as a model. */
import { UsageError } from "../errors.ts";
import {
  type GraphBuilder,
  graphBuilder,
  type Model,
  makeNode,
  type Names,
  names,
  namesIn,
  opsetOf,
  tensorFromNumbers,
  type Value,
  valuesOf,
  withGraph,
} from "../ir/index.ts";
import { inferShapes } from "../ops/index.ts";
import { checkOptions, type OptionNames } from "../options.ts";
import { eliminateDeadNodes, explicitWindows, upgradeOpset } from "../passes/index.ts";
import type { Forms } from "./forms.ts";
import { type Differentiated, differentiateGraph } from "./gradient.ts";
import { inlineFunctions } from "./inline-functions.ts";

export interface GradientOptions {
  /** Name of the value to differentiate: one number, unless `seed` is given. */
  readonly of: string;
  /** Names of the values to differentiate with respect to: inputs, initializers or inner values of the main graph. */
  readonly wrt: readonly string[];
  /**
   * Name of the value that holds the cotangent of `of`. A value of the graph, or a new input of the same type; then the
   * result is the vector-Jacobian product.
   */
  readonly seed?: string;
  /** Names of values through which no gradient flows. */
  readonly stopAt?: readonly string[];
  /** Whether the model keeps its own outputs, in front of the gradients. */
  readonly keepOutputs?: boolean;
  readonly forms?: Forms;
}

const gradientOptionsNames: OptionNames<GradientOptions> = {
  of: true,
  wrt: true,
  seed: true,
  stopAt: true,
  keepOutputs: true,
  forms: true,
};

/**
 * A model whose outputs are the gradients, named `<value>_grad`, in the order of `wrt`; zeros for a value that `of` does not
 * depend on. It is brought to opset 21 where that is possible, its functions are inlined and its values typed. Symbolic dims
 * stay symbolic.
 *
 * @throws UsageError for a name that is not a value of the main graph, or when `of` depends on none of `wrt`.
 * @throws UnsupportedError naming the node where an operator has no gradient.
 */
export async function gradient(model: Model, options: GradientOptions): Promise<Model> {
  checkOptions(options, gradientOptionsNames);
  const prepared = await prepareForGradient(model);
  const { graph } = prepared;
  const byName = new Map([...valuesOf(graph)].map((value) => [value.name, value]));
  const find = (name: string): Value => byName.get(name) ?? fail(name, byName);
  const [of, wrt] = [find(options.of), options.wrt.map(find)];
  const scope = names(namesIn(graph));
  const seed = options.seed === undefined ? undefined : (byName.get(options.seed) ?? newSeed(scope, options.seed, of));
  const inputs = seed && !byName.has(seed.name) ? [...graph.inputs, seed] : graph.inputs;
  const differentiated = differentiateGraph(
    { ...graph, inputs },
    {
      of,
      wrt,
      opset: opsetOf(prepared),
      scope,
      stopAt: new Set((options.stopAt ?? []).map(find)),
      ...(seed ? { seed } : {}),
      ...(options.forms ? { forms: options.forms } : {}),
    },
  );
  const result = withGradientOutputs(differentiated, wrt, scope, options.keepOutputs === true);
  return (await eliminateDeadNodes().run(withGraph(prepared, result))).model;
}

/** Functions inlined, opset 21 where possible, windows explicit, every value typed: what `differentiateGraph` needs. */
export async function prepareForGradient(model: Model): Promise<Model> {
  const upgraded = (await upgradeOpset().run(inlineFunctions(model))).model;
  return inferShapes((await explicitWindows().run(upgraded)).model);
}

function newSeed(scope: Names, name: string, { type }: Value): Value {
  const fresh = scope.fresh(name);
  return type ? { name: fresh, type } : { name: fresh };
}

function withGradientOutputs({ graph, gradients }: Differentiated, wrt: readonly Value[], scope: Names, keep: boolean) {
  const g = graphBuilder({ names: scope });
  const outputs = wrt.map((value): Value => {
    const name = scope.fresh(`${value.name}_grad`);
    return value.type ? { name, type: value.type } : { name };
  });
  const nodes = wrt.map((value, i) => makeNode("Identity", [gradients.get(value) ?? zeros(g, value)], [outputs[i]]));
  return {
    ...graph,
    outputs: keep ? [...graph.outputs, ...outputs] : outputs,
    nodes: [...graph.nodes, ...g.nodes, ...nodes],
  };
}

function zeros(g: GraphBuilder, value: Value): Value {
  const dtype = value.type?.kind === "tensor" ? value.type.dtype : "float32";
  return g.op("ConstantOfShape", [g.op("Shape", [value])], { value: tensorFromNumbers(dtype, [1], [0]) });
}

function fail(name: string, known: ReadonlyMap<string, Value>): never {
  throw new UsageError("the main graph has no such value", {
    expected: `one of ${[...known.keys()].slice(0, 20).join(", ")}${known.size > 20 ? ", …" : ""}`,
    got: JSON.stringify(name),
  });
}
