/** @file From the inference form of a network to its training form: BatchNormalization over the batch, Dropout with masks. */
import { UnsupportedError } from "../../errors.ts";
import {
  constantOf,
  type DataType,
  describeNode,
  editGraph,
  float,
  floatOf,
  type Graph,
  graphBuilder,
  intOf,
  makeNode,
  type Names,
  type Node,
  numbersOf,
  TARGET_OPSET,
  usesOf,
  type Value,
} from "../../ir/index.ts";
import { builderInference } from "../../ops/index.ts";
import { keepMask } from "./random-mask.ts";
import { dimsOf, dtypeOf, type StepBuilder, stepBuilder, tensorTypeOf } from "./step-builder.ts";

export interface TrainingModeOptions {
  readonly names: Names;
  readonly batchNorm: "train" | "frozen";
  /** Gives the key of the masks (uint32[2]); absent: dropout stays off. */
  readonly maskKey?: () => Value;
  /** Nodes that are left as they are. */
  readonly inference?: (node: Node) => boolean;
}

export interface TrainingMode {
  readonly graph: Graph;
  /** The next value of each running statistic, made by the builder that was given. */
  readonly statistics: ReadonlyMap<Value, Value>;
}

/** Nodes of subgraphs are left as they are. The next statistics are emitted into `g`, after the graph. */
export function trainingMode(graph: Graph, g: StepBuilder, options: TrainingModeOptions): TrainingMode {
  const statistics = new Map<Value, Value>();
  let layers = 0;
  const changed = editGraph(
    graph,
    (draft) => {
      for (const node of graph.nodes) {
        if (node.domain !== "" || options.inference?.(node)) continue;
        if (node.opType === "BatchNormalization" && options.batchNorm === "train") {
          draft.replaceNode(node, ...overBatch(graph, node, g, options.names, statistics));
        }
        if (node.opType !== "Dropout" || !options.maskKey) continue;
        const ratio = dropRatio(graph, node);
        const inner = graphBuilder({ names: options.names, infer: builderInference(TARGET_OPSET), prefix: "dropout/" });
        if (ratio === 0) draft.replaceNode(node, makeNode("Identity", [node.inputs[0]], [node.outputs[0]]));
        else draft.replaceNode(node, ...masked(stepBuilder(inner), node, ratio, options.maskKey(), layers++));
        for (const [value, tensor] of inner.initializers) draft.setInitializer(value, tensor);
      }
    },
    options.names,
  );
  return { graph: changed, statistics };
}

/**
 * With a momentum of 0 the operator's further outputs are the mean and the population variance of the batch itself.
 * ONNX Runtime writes them over the running statistics that it is given, so it gets values that nothing else reads.
 */
function overBatch(graph: Graph, node: Node, g: StepBuilder, names: Names, statistics: Map<Value, Value>): Node[] {
  const { x, runningMean, runningVariance } = checkedBatchNorm(graph, node);
  const name = node.name || node.outputs[0]?.name || "batchnorm";
  const mean = freshLike(runningMean, `${name}/mean`, names);
  const variance = freshLike(runningVariance, `${name}/variance`, names);
  const keep = floatOf(node, "momentum", 0.9);
  const next = (running: Value, current: Value): void => {
    // A product of the running statistic and 0 would be the spare below, which the runtime writes over.
    if (keep === 0) return void statistics.set(running, current);
    const before = statistics.get(running) ?? running;
    statistics.set(running, g.add(g.mul(before, keep), g.mul(current, 1 - keep)));
  };
  next(runningMean, mean);
  next(runningVariance, g.mul(variance, unbiased(g, x, dtypeOf(runningVariance))));
  const attributes = new Map(node.attributes)
    .set("training_mode", { type: "int", value: 1n })
    .set("momentum", float(0));
  const spares = [runningMean, runningVariance].map((running) =>
    makeNode(
      "Mul",
      [running, g.number(0, dtypeOf(running))],
      [{ name: names.fresh(`${running.name}:spare`), type: running.type! }],
    ),
  );
  const inputs = [...node.inputs.slice(0, 3), ...spares.map(({ outputs }) => outputs[0])];
  return [...spares, { ...node, inputs, attributes, outputs: [node.outputs[0], mean, variance] }];
}

function freshLike(value: Value, name: string, names: Names): Value {
  return { name: names.fresh(name), type: tensorTypeOf(value) };
}

function checkedBatchNorm(graph: Graph, node: Node) {
  const [x, , , runningMean, runningVariance] = node.inputs;
  const where = describeNode(node);
  if (intOf(node, "training_mode", 0) === 1) {
    throw new UnsupportedError("the model is in training mode already", {
      where,
      hint: "Export it in evaluation mode; the training step switches it over.",
    });
  }
  const isStored = (value: Value | undefined): value is Value => value !== undefined && graph.initializers.has(value);
  if (x && isStored(runningMean) && isStored(runningVariance)) return { x, runningMean, runningVariance };
  throw new UnsupportedError("the running statistics of a BatchNormalization are no initializers", {
    where,
    hint: 'Keep them as they are with { batchNorm: "frozen" }.',
  });
}

/** n / (n − 1) for the n elements of a channel, as PyTorch estimates the variance; 1 when there is one element. */
function unbiased(g: StepBuilder, x: Value, dtype: DataType): Value {
  const channels = dimsOf(x)[1] ?? 1;
  return g.shared(`unbiased ${x.name} ${dtype}`, () => {
    const size = g.cast(g.op("Size", [x]), dtype);
    const width =
      typeof channels === "number"
        ? g.number(channels, dtype)
        : g.cast(g.op("Gather", [g.shape(x), g.number(1, "int64")]), dtype);
    const count = g.div(size, width);
    return g.div(count, g.max(g.sub(count, 1), 1));
  });
}

function dropRatio(graph: Graph, node: Node): number {
  const [, mask] = node.outputs;
  if (mask && usesOf(graph, mask).length > 0) {
    throw new UnsupportedError("a Dropout whose mask is read cannot be trained", { where: describeNode(node) });
  }
  const given = node.inputs[1];
  const ratio = given ? constantOf(graph, given) : undefined;
  if (given && !ratio) throw new UnsupportedError("a Dropout needs a constant ratio", { where: describeNode(node) });
  return ratio ? numbersOf(ratio)[0]! : 0.5;
}

function masked(g: StepBuilder, node: Node, ratio: number, key: Value, layer: number): Node[] {
  const [x] = node.inputs;
  if (!x) throw new UnsupportedError("a Dropout has no input", { where: describeNode(node) });
  const mask = keepMask(g, x, ratio, key, layer, dtypeOf(x));
  return [...g.raw.nodes, makeNode("Mul", [x, mask], [node.outputs[0]], { name: node.name })];
}
