/**
 * @file All widths of a network in one graph: each layer's weights are generated from how much of its inputs and outputs stays, and masked
 * to that. Liu et al., "MetaPruning" (2019), arXiv:1903.10258.
 */
import { nth } from "../../checked.ts";
import { random } from "../../data/index.ts";
import {
  checkPatterns,
  editGraph,
  floatsOf,
  graphBuilder,
  int64s,
  isSparse,
  type Model,
  namesOf,
  sizeOf,
  storedWeights,
  TARGET_OPSET,
  type Tensor,
  tensor,
  tensorFromNumbers,
  tensorType,
  type Value,
  withGraph,
} from "../../ir/index.ts";
import { generated, type Layers, layersInto } from "../../nn/index.ts";
import { axisClasses, builderInference, type FactorPreference, specOf } from "../../ops/index.ts";
import { checkOptions, type OptionNames } from "../../options.ts";
import { cutClasses } from "../cut.ts";
import { type WeightAxis, weightAxes } from "../weight-axes.ts";
import { type Width, widthsOf } from "../widths.ts";
import { fanIn, initialNumbers } from "./initial-weights.ts";
import type { Choice, Supernet } from "./supernet.ts";
import { type WeightSource, weightsFor } from "./supernet-weights.ts";
import { type WidthChoice, type WidthScales, widthChoices } from "./width-choices.ts";
import { type Places, placesIn } from "./width-places.ts";

export interface WidthSupernetOptions extends WidthScales {
  /** Of products such as heads × width: whole heads (`"outer"`, default), or the same positions of each. */
  readonly factor?: FactorPreference;
  /** Units between the two layers of each generator; 32 by default. */
  readonly hidden?: number;
  /** Of what the generators begin with. */
  readonly seed?: number;
}

export const widthSupernetNames: OptionNames<WidthSupernetOptions> = {
  scales: true,
  round: true,
  factor: true,
  exclude: true,
  hidden: true,
  seed: true,
};

export interface WidthSupernet extends Supernet {
  /** One for each place, in the order of the network. */
  readonly widths: readonly WidthChoice[];
  /** Widths that stay whole, and why. */
  readonly held: readonly { readonly width: Width; readonly reasons: readonly string[] }[];
}

/**
 * The supernet of a model's widths. A step reads which count of each width stays; weights with two axes and more are made by a generator each
 * (`generated`) from the shares that stay of what they read and make, vectors of one width have a row for each of its counts, and all are
 * zero where the choice cuts. So the result is that of the cut network with these weights.
 *
 * @throws UsageError for scales out of range, and where no width is left to choose
 */
export function widthSupernet(original: Model, options: WidthSupernetOptions = {}): WidthSupernet {
  const { factor = "outer", exclude = [], hidden = 32, seed = 0 } = checkOptions(options, widthSupernetNames);
  checkPatterns(original.graph, { exclude });
  const base = storedWeights(original);
  const classes = axisClasses(base, { factor });
  const axes = weightAxes(base, classes);
  const { open, held } = widthChoices(base, classes, axes, widthsOf(base, axes, classes), options);
  const places = placesIn(open);
  const choosable = choosableWeights(base, axes, (value, axis) => places(classes.along(value, axis)));
  const { model, input, sources } = graphOf(base, choosable, { open, hidden, seed });
  const countsAt = (choice: Choice): number[] => open.map(({ counts }, i) => nth(counts, nth(choice, i)));
  const cut = (whole: Model, choice: Choice): Model => {
    const counts = countsAt(choice);
    const removed = new Set(open.flatMap(({ width }, i) => width.classes.slice(nth(counts, i))));
    return cutClasses(whole, classes, (of) => removed.has(of));
  };
  return {
    model,
    input,
    options: open.map(({ counts }) => counts.length),
    widths: open,
    held,
    plain: (choice) => cut(base, choice),
    networks: (trained) => {
      const weights = weightsFor(base, sources, trained);
      return (choice) => cut(weights(choice, countsAt(choice)), choice);
    },
  };
}

/** Weights over which a choice decides. */
interface ChoosableWeight {
  readonly value: Value;
  readonly data: Tensor;
  /** Of each axis. */
  readonly places: readonly (Places | undefined)[];
  readonly reads: Places | undefined;
  readonly makes: Places | undefined;
  readonly fan: number;
}

function choosableWeights(
  base: Model,
  axes: readonly WeightAxis[],
  placesAt: (value: Value, axis: number) => Places | undefined,
): ChoosableWeight[] {
  const statistics = statisticsIn(base);
  return [...base.graph.initializers].flatMap(([value, data]): ChoosableWeight[] => {
    if (isSparse(data) || statistics.has(value)) return [];
    const places = data.dims.map((_, axis) => placesAt(value, axis));
    if (places.every((each) => each === undefined)) return [];
    const own = axes.filter((axis) => axis.value === value);
    const [makes, reads] = (["out", "in"] as const).map((role) => own.find((axis) => axis.role === role)?.axis);
    const made = makes === undefined ? undefined : places[makes];
    const read = reads === undefined ? made : places[reads];
    return [{ value, data, places, reads: read, makes: made, fan: fanIn(value, data.dims, own) }];
  });
}

/** Values that operators read as running statistics. */
function statisticsIn({ graph }: Model): Set<Value | undefined> {
  return new Set(
    graph.nodes.flatMap((node) => (specOf(node)?.weights?.statistics ?? []).map((port) => node.inputs[port])),
  );
}

interface Shape {
  readonly open: readonly WidthChoice[];
  readonly hidden: number;
  readonly seed: number;
}

/** Generators' initial values are drawn from a stream of their own. */
const GENERATORS = 0x3e6;

const PREFIX = "supernet/";

function graphOf(base: Model, weights: readonly ChoosableWeight[], { open, hidden, seed }: Shape) {
  const names = namesOf(base);
  const input: Value = { name: names.fresh("widths"), type: tensorType("int64", [open.length]) };
  const g = graphBuilder({ names, infer: builderInference(TARGET_OPSET), prefix: PREFIX });
  const n = layersInto(g, random(seed, GENERATORS), PREFIX);
  const masks = masksOver(n, input, open);
  const begin = initialNumbers(base);
  const made = new Map<Value, Value>();
  const sources = weights.map((weight): WeightSource => {
    const { whole, source } = wholeWeight(n.scope(weight.value.name), weight, { input, open, hidden, masks, begin });
    made.set(weight.value, masked(n, whole, weight, masks));
    return source;
  });
  const initializers = [...base.graph.initializers].filter(([value]) => !made.has(value));
  const joined = {
    ...base.graph,
    inputs: [...base.graph.inputs.filter((value) => !made.has(value)), input],
    nodes: [...g.nodes, ...base.graph.nodes],
    initializers: new Map([...initializers, ...g.initializers]),
  };
  const graph = editGraph(
    joined,
    (draft) => {
      for (const [value, weight] of made) draft.replaceValue(value, weight);
    },
    names,
  );
  return { model: withGraph(base, graph), input: input.name, sources };
}

type Masks = (places: Places) => Value;

/** 1 for positions that stay, 0 for the others; one vector for all axes that are alike. */
function masksOver(n: Layers, input: Value, open: readonly WidthChoice[]): Masks {
  const most = open.reduce((longest, { counts }) => Math.max(longest, counts.length), 0);
  const table = open.flatMap(({ counts }) => Array.from({ length: most }, (_, i) => counts[i] ?? 0));
  const rows = n.constant("first_of_width", int64s(open.map((_, i) => i * most)));
  const counts = n.gather(n.constant("counts", tensor("float32", [table.length], table)), n.add(input, rows), 0);
  const known = new Map<string, Value>();
  return ({ widths, ranks }) => {
    const key = `${widths} ${ranks}`;
    const before = known.get(key);
    if (before) return before;
    const limits = n.gather(counts, n.constant("widths_of", int64s([...widths].map((width) => Math.max(0, width)))), 0);
    const mask = n.mask(
      n.less(n.constant("ranks", tensorFromNumbers("float32", [ranks.length], ranks)), limits),
      "float32",
    );
    known.set(key, mask);
    return mask;
  };
}

interface Making extends Omit<Shape, "seed"> {
  readonly input: Value;
  readonly masks: Masks;
  readonly begin: ReadonlyMap<Value, number>;
}

/** All positions of the weights of a choice. */
function wholeWeight(n: Layers, weight: ChoosableWeight, making: Making): { whole: Value; source: WeightSource } {
  const { value, data, reads, makes, places, fan } = weight;
  const long = data.dims.filter((length) => length > 1).length;
  if (long > 1) {
    const share = (of: Places | undefined): Value =>
      of ? n.mean(making.masks(of), [0], true) : n.constant("whole", tensor("float32", [1], [1]));
    const features = n.reshape(n.concat([share(reads), share(makes)], 0), [1, 2]);
    const made = generated(n, features, data.dims, { hidden: making.hidden, deviation: Math.sqrt(2 / fan) });
    const { first, firstBias, second, secondBias } = made.parameters;
    const parameters = {
      first: first.name,
      firstBias: firstBias.name,
      second: second.name,
      secondBias: secondBias.name,
    };
    return { whole: made.value, source: { kind: "generated", value, dims: data.dims, parameters, reads, makes } };
  }
  const numbers = beginning(data, making.begin.get(value));
  const width = soleWidth(places);
  if (width === undefined) {
    const vector = n.parameter("vector", data.dims, () => numbers);
    return { whole: vector, source: { kind: "shared", value, vector: vector.name } };
  }
  const rows = nth(making.open, width).counts.length;
  const table = n.parameter("rows", [rows, ...data.dims], () => repeated(numbers, rows));
  const row = n.gather(table, n.gather(making.input, n.ints([width]), 0), 0);
  return { whole: n.reshape(row, data.dims), source: { kind: "rows", value, table: table.name, width } };
}

/** The width that decides over all of these positions; `undefined` where several do. */
function soleWidth(places: readonly (Places | undefined)[]): number | undefined {
  const deciding = new Set(places.flatMap((each) => [...(each?.widths ?? [])].filter((width) => width >= 0)));
  const [width] = deciding;
  return deciding.size === 1 ? width : undefined;
}

/** What a vector begins with: the number that its operator says, else its own. */
function beginning(data: Tensor, number: number | undefined): Float32Array {
  return number === undefined ? floatsOf(data) : new Float32Array(sizeOf(data.dims)).fill(number);
}

function repeated(numbers: Float32Array, count: number): Float32Array {
  const all = new Float32Array(count * numbers.length);
  for (let i = 0; i < count; i++) all.set(numbers, i * numbers.length);
  return all;
}

/** Zeros where the choice cuts. */
function masked(n: Layers, whole: Value, { data, places }: ChoosableWeight, masks: Masks): Value {
  return places.reduce((weight, each, axis) => {
    if (!each) return weight;
    const along = data.dims.map((_, i) => (i === axis ? each.widths.length : 1));
    return n.mul(weight, n.reshape(masks(each), along));
  }, whole);
}
