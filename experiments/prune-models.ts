/** @file What can be cut out of real models and shipped networks, and whether what is left runs. */
import { random } from "../src/data/index.ts";
import { type Model, type Node, type Tensor, tensorFromNumbers, type Value } from "../src/ir/index.ts";
import {
  gpt,
  imagenetResnet,
  lenet,
  mlp,
  mobilenetV2,
  msdnet,
  paraFormer,
  paraGpt,
  paraResnet,
  resnet,
  vit,
} from "../src/models/index.ts";
import { loadModel } from "../src/onnx/files.ts";
import { type AxisClasses, axesOf, axisClasses } from "../src/ops/index.ts";
import { pruneModel } from "../src/prune/index.ts";
import { weightAxes } from "../src/prune/weight-axes.ts";
import { openSession } from "../src/runtime/index.ts";
import { type Experiment, type ExperimentContext, markdownTable } from "./experiment.ts";
import { everyOne } from "./judgement.ts";
import { realModels } from "./real-models.ts";

const RATIO = 0.3;

interface Row {
  readonly model: string;
  /** Nodes that sum over weights, and those of them of which every output channel can go. */
  readonly layers: number;
  readonly whole: number;
  /** Why the others cannot lose all of theirs, each reason once. */
  readonly held: readonly string[];
  readonly macs: readonly [before: number, after: number];
  readonly parameters: readonly [before: number, after: number];
  /** What the runtime says of the cut model; empty where it runs. */
  readonly failure: string;
  readonly isShared: boolean;
}

/** Networks as Torch-Pruning 1.6.1 leaves them at half width, counted alike: multiply-accumulates of convolutions and products, no running statistics. */
const halved = [
  {
    model: "ResNet-18",
    make: () => imagenetResnet(random(1), { depth: 18 }),
    macs: 483_149_824,
    parameters: 3_055_880,
  },
  {
    model: "ResNet-50",
    make: () => imagenetResnet(random(1), { depth: 50 }),
    macs: 1_052_311_552,
    parameters: 6_917_640,
  },
  { model: "MobileNetV2", make: () => mobilenetV2(random(1)), macs: 83_402_176, parameters: 1_221_768 },
] as const;

interface Halved {
  readonly model: string;
  readonly macs: number;
  readonly parameters: number;
}

interface Result {
  readonly rows: readonly Row[];
  readonly halved: readonly Halved[];
}

const cifar = { size: 32, classes: 10 } as const;

/** Networks of lithe, in sizes that are trained. */
const shipped: Readonly<Record<string, () => Model>> = {
  MLP: () => mlp(random(1), { input: [784], hidden: [512, 512], classes: 10 }),
  LeNet: () => lenet(random(1), { size: 28, classes: 10 }),
  "ResNet-32": () => resnet(random(1), { depth: 32, ...cifar }),
  "ResNet-34": () => imagenetResnet(random(1), { depth: 34 }),
  "ResNet-101": () => imagenetResnet(random(1), { depth: 101 }),
  MobileNetV2: () => mobilenetV2(random(1)),
  MSDNet: () => msdnet(random(1), { ...cifar }),
  ViT: () => vit(random(1), { ...cifar, patch: 4, width: 192, heads: 3, depth: 6 }),
  GPT: () => gpt(random(1), { vocabulary: 65, context: 64, width: 128, heads: 4, depth: 4 }),
  "Para-Former-2-4": () => paraFormer(random(1), { ...cifar, patch: 4, width: 96, heads: 3, depth: 2, branches: 4 }),
  "Para-GPT": () => paraGpt(random(1), { vocabulary: 65, context: 64, width: 128, heads: 4, depth: 2, branches: 2 }),
  "Para-ResNet": () => paraResnet(random(1), { ...cifar, branches: 2 }),
};

async function rowOf(name: string, model: Model, isShared: boolean): Promise<Row> {
  const classes = axisClasses(model);
  const layers = new Map<Node, boolean>();
  const held = new Set<string>();
  for (const { node, value, role, classes: along } of weightAxes(model, classes)) {
    if (role !== "out" || !sumsOver(node, value, classes)) continue;
    const reasons = [...along].flatMap((of) => classes.fixed(of) ?? []);
    for (const reason of reasons) held.add(reason);
    layers.set(node, (layers.get(node) ?? true) && reasons.length === 0);
  }
  const { model: pruned, report } = pruneModel(model, { ratio: RATIO });
  return {
    model: name,
    layers: layers.size,
    whole: [...layers.values()].filter(Boolean).length,
    held: [...held],
    macs: [report.macs.before, report.macs.after],
    parameters: [report.parameters.before, report.parameters.after],
    failure: await failureOf(pruned),
    isShared,
  };
}

/** Whether the node is a layer: it sums over an axis of these weights, or over places alone, as a depthwise convolution. */
function sumsOver(node: Node, weights: Value, { inference }: AxisClasses): boolean {
  if (node.opType.includes("Conv")) return true;
  return (axesOf(inference, node) ?? []).some(
    ({ kind, inputs }) => kind === "reduced" && inputs.some(({ port }) => node.inputs[port] === weights),
  );
}

async function failureOf(model: Model): Promise<string> {
  try {
    await using session = await openSession(model);
    await session.run(feedsOf(model));
    return "";
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Half a second of sound, a sentence of 16, else one sample. */
const lengths: Readonly<Record<string, number>> = { "input.1": 512, "state.1": 1, "ids.1": 64 };

export function feedsOf({ graph }: Model): Map<string, Tensor> {
  const draws = random(1, 2);
  return new Map(
    graph.inputs.flatMap((value) => {
      if (graph.initializers.has(value) || value.type?.kind !== "tensor") return [];
      const { dtype, dims = [] } = value.type;
      const sizes = dims.map((dim, axis) => {
        if (typeof dim === "number") return dim;
        return lengths[`${value.name}.${axis}`] ?? (axis === 0 ? 1 : 16);
      });
      const count = sizes.reduce((product, size) => product * size, 1);
      const whole = value.name === "sr" ? 16_000 : 1;
      const values = Array.from({ length: count }, () => (dtype.startsWith("float") ? draws.normal() : whole));
      return [[value.name, tensorFromNumbers(dtype, sizes, values)]];
    }),
  );
}

async function run({ shared, once, log }: ExperimentContext): Promise<Result> {
  const rows: Row[] = [];
  for (const { model } of realModels) {
    log(model);
    rows.push(await once(model, async () => rowOf(model, await loadModel(`${shared}/models/${model}.onnx`), true)));
  }
  for (const [name, make] of Object.entries(shipped)) {
    log(name);
    rows.push(await once(name, () => rowOf(name, make(), false)));
  }
  const counted = halved.map(({ model, make }) => {
    const { report } = pruneModel(make(), { ratio: 0.5 });
    return { model, macs: report.macs.after, parameters: report.parameters.after };
  });
  return { rows, halved: counted };
}

/** Layers that end in an output, which nobody can narrow. */
const OUTPUT = "it is an output of the model";

const figure = (count: number): string =>
  Number.isFinite(count) && count > 0 ? count.toLocaleString("en-US") : "depends on dims";
const times = ([before, after]: readonly [number, number]): string =>
  before > 0 && Number.isFinite(before / after) ? `${(before / after).toFixed(2)}×` : "–";

export const pruneModels: Experiment<Result> = {
  name: "prune-models",
  claim:
    "Channels, heads and units can be cut out of any network by what its operators say of their axes, without a rule for an architecture.",
  source: "lithe; halved networks as Torch-Pruning 1.6.1 makes them",
  workload: `All shared models and twelve networks of lithe, each cut at ratio ${RATIO} (L2, local, not rounded) and run once on ONNX Runtime; layers are nodes that sum over weights, and convolutions. Said after a first look: embeddings and tables of positions, whose rows are no channels, had counted as layers; ResNet-18, ResNet-50 and MobileNetV2 at ratio 0.5.`,
  seeds: [1],
  criterion: `every cut model runs; of every model all layers can lose all their channels but those that end in an output; halved networks have exactly the multiply-accumulates and parameters of Torch-Pruning's.`,
  run,
  judge: ({ rows, halved: counted }) => [
    everyOne(
      "every cut model runs",
      rows,
      ({ failure }) => failure === "",
      ({ model, failure }) => `${model}: ${failure}`,
    ),
    {
      ...everyOne(
        "all layers can be narrowed but those that end in an output",
        rows,
        ({ held }) => held.every((reason) => reason === OUTPUT),
        ({ model, whole, layers, held }) =>
          `${model} ${whole} of ${layers}: ${held.filter((reason) => reason !== OUTPUT).join("; ")}`,
      ),
      why: "the recurrent state of silero-vad goes in and out of the model, and so do the results of its conditionals, whose lengths are not known.",
    },
    everyOne(
      "halved networks have Torch-Pruning's counts",
      counted,
      ({ model, macs, parameters }) =>
        halved.some((each) => each.model === model && each.macs === macs && each.parameters === parameters),
      ({ model, macs, parameters }) => `${model} ${figure(macs)} and ${figure(parameters)}`,
    ),
  ],
  page({ rows, halved: counted }) {
    const table = markdownTable(
      ["model", "layers", "of which all channels can go", "held", "multiply-accumulates", "parameters"],
      rows.map(({ model, layers, whole, held, macs, parameters }) => [
        ...[model, layers, whole, held.map((reason) => reason.replaceAll("|", "\\|")).join("; ") || "–"],
        ...[times(macs), times(parameters)],
      ]),
    );
    const counts = markdownTable(
      ["at half width", "multiply-accumulates", "parameters"],
      counted.map(({ model, macs, parameters }) => [model, figure(macs), figure(parameters)]),
    );
    return `${table}\n\n${counts}`;
  },
};
