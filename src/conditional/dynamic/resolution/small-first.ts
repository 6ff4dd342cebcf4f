/**
 * @file A small picture first, the large one where that leaves doubt: Yang et al., "Resolution adaptive networks" (2020), arXiv:2003.07326,
 * with whole networks in the place of its sub-networks.
 */
import { atLeast, lastOf, must, nth } from "../../../checked.ts";
import { UnsupportedError, UsageError } from "../../../errors.ts";
import {
  type Dims,
  dataTypes,
  forgetTypes,
  formatType,
  type Graph,
  isSparse,
  type Model,
  makeNode,
  namesOf,
  opsetOf,
  renamedGraph,
  sameValueType,
  TARGET_OPSET,
  type Value,
} from "../../../ir/index.ts";
import { dimsOf, extend } from "../../../nn/index.ts";
import { inferModel, inferShapes, requireSameOutputs } from "../../../ops/index.ts";
import { type ExitModel, onlyOutput } from "../../exit/add-exits.ts";
import { noWeights } from "../../lowering/no-weights.ts";

/** Either the height and width of the small picture, for the same network; or another network, which takes pictures of its own size. */
export type SmallFirstOptions = { readonly size: number } | { readonly first: Model };

const EXIT = "exit/0";
const PREFIX = "small/";
const HINT = "End in a mean over all positions, or give a first model for small pictures.";

/**
 * The model with one exit in front of all of it: a network over the picture scaled down, bilinearly. It is trained, given its threshold,
 * exported and run over batches as any model with exits; the large picture is only looked at for samples that do not leave.
 *
 * With `size` the network itself is the first one too. Kernels and matrices are shared; vectors (scales and biases) and running statistics
 * belong to each size and begin alike, as in resolution switchable networks (Wang et al. 2020, arXiv:2007.09558).
 *
 * @throws UsageError for a size that is not smaller and a first model that does not fit; UnsupportedError for models of other signatures
 * than pictures [batch, channels, height, width] → logits, and for a network that can only be run at one size.
 */
export function smallFirst(model: Model, options: SmallFirstOptions): ExitModel {
  const whole = inferShapes(model);
  const first = "first" in options ? inferShapes(options.first) : whole;
  checkModel(whole, "the model");
  checkModel(first, "the first model");
  const picture = pictureOf(whole.graph);
  const target = "first" in options ? pictureOf(first.graph) : picture;
  const size = "first" in options ? sizeOf(target) : [options.size, options.size];
  checkSize(picture, target, size);
  const resized = extend(whole, noWeights, (n, value) => {
    const sizes = n.ints(size);
    const small = n.op("Resize", [value(picture.name), undefined, undefined, sizes], { axes: [2, 3], mode: "linear" });
    n.output(small, `${PREFIX}input`);
  });
  const small = lastOf(resized.graph.outputs);
  const given = new Map([[target, small], ...(first === whole ? sharedMatrices(whole.graph, resized.graph) : [])]);
  const combined = withSmall(resized, first, given);
  // A reshape to rows of a fixed length makes other batches of smaller pictures.
  const [output] = atLeast(first.graph.outputs, 1);
  requireSameOutputs(first, combined, { pairs: [[output.name, EXIT]], hint: HINT });
  return { model: combined, exits: [EXIT], at: [small.name] };
}

/** The small network between the scaling and the large one. */
function withSmall(resized: Model, first: Model, given: ReadonlyMap<Value, Value>): Model {
  const { graph } = resized;
  const scope = namesOf(resized);
  const small = renamedGraph(first.graph, PREFIX, scope, given).graph;
  const answer = nth(small.outputs, 0);
  const exit: Value = { ...answer, name: EXIT };
  if (scope.fresh(EXIT) !== EXIT) throw new UsageError("the model has an exit already", { got: EXIT });
  const [output] = atLeast(graph.outputs, 1);
  const combined = forgetTypes({
    ...resized,
    opsets: new Map([...first.opsets, ...resized.opsets]),
    graph: {
      ...graph,
      outputs: [output, exit],
      nodes: [...graph.nodes, ...small.nodes, makeNode("Identity", [answer], [exit], { name: EXIT })],
      initializers: new Map([...small.initializers, ...graph.initializers]),
    },
  });
  return checked(inferShapes(combined), first);
}

/** A network that knows the size of its pictures does not fit another one. */
function checked(model: Model, first: Model): Model {
  const before = nth(first.graph.outputs, 0);
  const after = nth(model.graph.outputs, 1);
  const [problem] = inferModel(model).problems;
  if (!problem && sameValueType(before.type, after.type)) return model;
  throw new UnsupportedError("the network can only be run at one size", {
    expected: `logits ${formatType(before.type)} at the small size too`,
    got: problem ? `${problem.message} (${problem.where})` : formatType(after.type),
    hint: HINT,
  });
}

function checkModel(model: Model, where: string): void {
  onlyOutput(model);
  if (opsetOf(model) !== TARGET_OPSET) {
    throw new UsageError("exits need a model of lithe's opset", {
      expected: `opset ${TARGET_OPSET}`,
      got: `opset ${opsetOf(model)}`,
      where,
      hint: "Run the pass upgradeOpset first.",
    });
  }
  if (model.functions.length > 0) {
    throw new UnsupportedError("two networks in one model cannot have functions", {
      got: model.functions.map(({ name }) => name).join(", "),
      where,
    });
  }
}

function pictureOf({ inputs, initializers }: Graph): Value {
  const [picture, ...others] = inputs.filter((value) => !initializers.has(value));
  const type = picture?.type?.kind === "tensor" ? picture.type : undefined;
  if (picture && others.length === 0 && type?.dtype === "float32" && type.dims?.length === 4) return picture;
  throw new UnsupportedError("a network over pictures is needed", {
    expected: "one input float32 [batch, channels, height, width]",
    got: inputs.map(({ name, type: own }) => `${name} ${formatType(own)}`).join(", "),
  });
}

function sizeOf(picture: Value): number[] {
  const size = dimsOf(picture).slice(2);
  if (size.every((dim): dim is number => typeof dim === "number")) return size;
  throw new UnsupportedError("the first model takes pictures of any size", {
    expected: "a height and a width that are numbers",
    got: `[${size.join(", ")}]`,
  });
}

function checkSize(picture: Value, target: Value, size: readonly number[]): void {
  const [batch, channels, ...full] = atLeast(dimsOf(picture), 2);
  const [ownBatch, ownChannels] = dimsOf(target);
  const isSmaller = size.every((length, i) => {
    const most = full[i];
    return Number.isSafeInteger(length) && length >= 1 && (typeof most !== "number" || length <= most);
  });
  if (isSmaller && String(size) !== String(full) && channels === ownChannels && batch === ownBatch) return;
  const smaller: Dims = [batch, channels, ...size];
  throw new UsageError("the first pictures do not fit", {
    expected: `smaller ones than [${dimsOf(picture).join(", ")}], of as many channels and the same batch`,
    got: `[${(channels === ownChannels && batch === ownBatch ? smaller : dimsOf(target)).join(", ")}]`,
  });
}

/** Kernels, matrices, and numbers that are no floats, each with itself in the extended graph. */
function sharedMatrices({ initializers }: Graph, extended: Graph): [Value, Value][] {
  const byName = new Map([...extended.initializers.keys()].map((value) => [value.name, value]));
  return [...initializers].flatMap(([value, data]): [Value, Value][] => {
    const isVector = !isSparse(data) && data.dims.length === 1 && dataTypes[data.dtype].kind === "float";
    return isVector ? [] : [[value, must(byName, value.name)]];
  });
}
