/** @file One set of weights at several widths: slimmable networks, Yu et al. (2019), arXiv:1812.08928. */
import { nth } from "../../../checked.ts";
import { UnsupportedError, UsageError } from "../../../errors.ts";
import { describeNode, type Model, type Value } from "../../../ir/index.ts";
import { dimsOf, type Layers, network, type RandomSource } from "../../../nn/index.ts";
import { checkOptions, type OptionNames } from "../../../options.ts";
import { eliminateDeadNodes, foldConstants } from "../../../passes/index.ts";
import type { Evaluate } from "../../../rewrite/index.ts";
import type { Loss, LossName, LossTerm } from "../../../train/index.ts";
import { outputTerms } from "../../exit/output-terms.ts";
import { keepOutputs } from "../../lowering/keep-outputs.ts";

export interface SlimmableOptions {
  /** Shares of the channels, each above 0 and at most 1; 1 is always built. */
  readonly widths: readonly number[];
  input(n: Layers): Value;
  /** The network of a width over the input. It makes the same layers for every width, in one order. */
  build(n: Layers, x: Value, width: number): Value;
}

export interface SlimmableModel {
  /** Its first output is that of the full width. */
  readonly model: Model;
  /** Widths, falling, and the output of each. */
  readonly outputs: readonly { readonly width: number; readonly name: string }[];
}

const slimmableOptionsNames: OptionNames<SlimmableOptions> = { widths: true, input: true, build: true };

/**
 * A network for several widths. Kernels and matrices are shared: a narrower network has the first channels of each axis. Vectors (scales and
 * biases) and running statistics belong to each width, so its norms are switchable.
 *
 * @throws UsageError for widths out of range, and for a `build` whose layers differ between widths.
 */
export function slimmable(source: RandomSource, options: SlimmableOptions): SlimmableModel {
  const { widths, input, build } = checkOptions(options, slimmableOptionsNames);
  if (!widths.every((width) => width > 0 && width <= 1)) {
    throw new UsageError("a width is out of range", { expected: "above 0, at most 1", got: widths.join(", ") });
  }
  const all = [...new Set([1, ...widths])].sort((a, b) => b - a);
  const outputs = all.map((width) => ({ width, name: width === 1 ? "logits" : `logits/${width}` }));
  const model = network(source, (n) => {
    const x = input(n);
    const shared: Value[] = [];
    for (const { width, name } of outputs) {
      const matrices = width === 1 ? recorded(shared) : reused(shared, width);
      n.output(build(sharing(n.scope(`width${width}`), matrices.next), x, width), name);
      matrices.end();
    }
  });
  return { model, outputs };
}

/** For `fit`: the loss of every width but the full one as a term. */
export function widthTerms(
  { outputs }: SlimmableModel,
  loss: Loss | LossName,
  weights?: readonly number[],
): LossTerm[] {
  const names = outputs.slice(1).map(({ name }) => name);
  return outputTerms(names, loss, weights);
}

/**
 * The network of one width alone, with weights cut to it. `model` has the outputs of `slimmable`, say after training.
 *
 * @param evaluate Cuts the weights; it keeps dtypes, as `evaluateWith(openSession)` of `litheml/accelerate` does.
 * @throws UsageError for an output that is not there, UnsupportedError when the evaluator refuses.
 */
export async function atWidth(model: Model, output: string, evaluate: Evaluate): Promise<Model> {
  const { graph } = model;
  const found = graph.outputs.find(({ name }) => name === output);
  if (!found) throw new UsageError("the model has no such output", { got: JSON.stringify(output) });
  const live = await keepOutputs(model, [found]);
  const { model: folded, notes } = await foldConstants({ evaluate, maxBytes: Number.POSITIVE_INFINITY }).run(live);
  const uncut = folded.graph.nodes.find(
    ({ opType, inputs }) => opType === "Slice" && folded.graph.initializers.has(nth(inputs, 0)),
  );
  if (uncut) {
    throw new UnsupportedError("the weights could not be cut", {
      got: notes?.find(({ kind }) => kind === "declined")?.reason ?? "a slice that stays",
      where: describeNode(uncut),
    });
  }
  return (await eliminateDeadNodes().run(folded)).model;
}

type Matrix = (n: Layers, ...parameter: Parameters<Layers["parameter"]>) => Value;

interface Matrices {
  readonly next: Matrix;
  end(): void;
}

function recorded(shared: Value[]): Matrices {
  const next: Matrix = (n, ...parameter) => {
    const value = n.parameter(...parameter);
    shared.push(value);
    return value;
  };
  return { next, end: () => undefined };
}

/** The first channels of the matrices of the full width, in the order that they were made in. */
function reused(shared: readonly Value[], width: number): Matrices {
  let used = 0;
  const refuse = (got: string): never => {
    throw new UsageError("the layers of a width differ from those of the full network", {
      got,
      where: `width ${width}`,
    });
  };
  const next: Matrix = (n, name, dims) => {
    const whole = shared[used++];
    const most = whole ? dimsOf(whole) : [];
    const fits = most.length === dims.length && dims.every((dim, i) => dim <= Number(most[i]));
    if (!whole || !fits) return refuse(`${name} [${dims.join(", ")}] in the place of [${most.join(", ")}]`);
    if (dims.every((dim, i) => dim === most[i])) return whole;
    const axes = n.ints(dims.map((_, i) => i));
    return n.op("Slice", [whole, n.ints(dims.map(() => 0)), n.ints(dims), axes]);
  };
  return {
    next,
    end() {
      if (used !== shared.length) refuse(`${used} matrices in the place of ${shared.length}`);
    },
  };
}

/** The builder with its matrices from elsewhere. */
function sharing(n: Layers, matrix: Matrix): Layers {
  return {
    ...n,
    parameter: (name, dims, initial) =>
      dims.length > 1 ? matrix(n, name, dims, initial) : n.parameter(name, dims, initial),
    scope: (name) => sharing(n.scope(name), matrix),
  };
}
