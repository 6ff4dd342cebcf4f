/** @file Measuring the forms of a model's gradients where it will be trained. */

import {
  type ConvGeometry,
  convForms,
  differentiateGraph,
  type Forms,
  type InputForm,
  type WeightForm,
} from "../../autodiff/index.ts";
import { lastOf, must, nth } from "../../checked.ts";
import { random } from "../../data/index.ts";
import {
  graphBuilder,
  type Model,
  model as modelOf,
  sizeOf,
  TARGET_OPSET,
  type Tensor,
  tensor,
  withoutDeadNodes,
} from "../../ir/index.ts";
import { type Contender, type LatencyOptions, raceLatency } from "../../measure/index.ts";
import { builderInference } from "../../ops/index.ts";
import { checkOptions, type OptionNames, pickOptions } from "../../options.ts";
import { checkCancelled, type OpenSession, openSession, type SessionOptions } from "../../runtime/index.ts";
import { profileFor, profileOf } from "../step/profiles.ts";
import { type TrainingStepOptions, trainingStepOptionsNames } from "../step/step.ts";
import { trainingStep } from "../step/training-step.ts";
import { type ConvSide, type FormRow, type GradientFormTable, keyOf } from "./form-table.ts";

export interface MeasureFormsOptions extends Omit<TrainingStepOptions, "forms"> {
  /** Samples per batch where the model leaves it open; default 32. */
  readonly batch?: number;
  readonly session?: SessionOptions;
  readonly open?: OpenSession;
  /** How long each geometry is measured; half a second and 30 rounds by default. */
  readonly latency?: LatencyOptions;
  /** Times the forms of one question against each other; `raceLatency` by default. */
  readonly race?: (contenders: readonly Contender[], options: LatencyOptions) => Promise<readonly { p50: number }[]>;
  readonly onRow?: (row: FormRow, done: number, total: number) => void;
}

interface Question {
  readonly side: ConvSide;
  readonly geometry: ConvGeometry;
}

const { forms: _, ...stepNames } = trainingStepOptionsNames;

/** For those who hand on more than these. */
export const measureFormsOptionsNames: OptionNames<MeasureFormsOptions> = {
  ...stepNames,
  batch: true,
  session: true,
  open: true,
  latency: true,
  race: true,
  onRow: true,
};

/**
 * Times every form of the gradient of every different convolution that a training step of this model would differentiate,
 * each as a graph of its own on random numbers, in turns. `measuredForms` makes the choice for `trainingStep` and `fit` from the table.
 *
 * @throws what `trainingStep` throws, before anything is measured.
 */
export async function measureGradientForms(model: Model, options: MeasureFormsOptions): Promise<GradientFormTable> {
  checkOptions(options, measureFormsOptionsNames);
  const { batch = 32, session = {}, open = openSession, race = raceLatency, latency, onRow } = options;
  const asked = questionsOf(model, options);
  const rows: FormRow[] = [];
  for (const { side, geometry } of asked) {
    checkCancelled(latency?.signal);
    const fixed = typeof geometry.batch === "number" ? geometry : { ...geometry, batch };
    const times = await timesOf(
      { side, geometry: fixed },
      { open, session, race, latency: { ...DEFAULTS, ...latency } },
    );
    const { batch: _, ...rest } = geometry;
    rows.push({ side, geometry: rest, times });
    onRow?.(lastOf(rows), rows.length, asked.length);
  }
  return { ep: session.ep ?? "cpu", threads: session.threads ?? 1, batch, rows };
}

const DEFAULTS: LatencyOptions = { seconds: 0.5, rounds: 30, warmup: 1, slot: 1 };

/** What the rules of convolutions ask while they differentiate the model, where there is a choice: each question once. */
function questionsOf(model: Model, options: MeasureFormsOptions): readonly Question[] {
  const { forms } = profileOf(options.profile ?? profileFor(options.session?.ep));
  const asked = new Map<string, Question>();
  const ask = (side: ConvSide, geometry: ConvGeometry): void => {
    if (convForms(geometry)[side].length > 1) asked.set(keyOf(side, geometry), { side, geometry });
  };
  const listening: Forms = {
    ...forms,
    conv: {
      input(geometry) {
        ask("input", geometry);
        return forms.conv.input(geometry);
      },
      weight(geometry) {
        ask("weight", geometry);
        return forms.conv.weight(geometry);
      },
    },
  };
  trainingStep(model, { ...pickOptions<TrainingStepOptions>(options, trainingStepOptionsNames), forms: listening });
  return [...asked.values()];
}

interface Race extends Required<Pick<MeasureFormsOptions, "open" | "session" | "race" | "latency">> {}

async function timesOf(question: Question, { open, session, race, latency }: Race): Promise<FormRow["times"]> {
  const forms = convForms(question.geometry)[question.side];
  const contenders: Contender[] = [];
  try {
    for (const form of forms) {
      const { model, feeds } = formModel(question, form);
      contenders.push({ session: await open(model, { step: "timing forms of gradients", ...session }), feeds });
    }
    const standings = await race(contenders, latency);
    return Object.fromEntries(forms.map((form, i) => [form, nth(standings, i).p50]));
  } finally {
    for (const contender of contenders) await contender.session.release();
  }
}

/** The one gradient in the one form, as a model of x or w and dy. */
function formModel(
  { side, geometry }: Question,
  form: InputForm | WeightForm,
): { model: Model; feeds: Map<string, Tensor> } {
  const { group, inputs, outputs, kernel, strides, dilations, begin, end, from, to } = geometry;
  const batch = Number(geometry.batch);
  const g = graphBuilder({ infer: builderInference(TARGET_OPSET) });
  const dims = {
    x: [batch, group * inputs, ...from],
    w: [group * outputs, inputs, ...kernel],
    dy: [batch, group * outputs, ...to],
  };
  const [x, w, dy] = [
    g.input("x", "float32", dims.x),
    g.input("w", "float32", dims.w),
    g.input("dy", "float32", dims.dy),
  ];
  const y = g.op("Conv", [x, w], { group, kernel_shape: kernel, strides, dilations, pads: [...begin, ...end] });
  const wanted = side === "input" ? x : w;
  const only = { input: () => [form as InputForm], weight: () => [form as WeightForm] };
  const forms = { ...profileOf().forms, conv: only };
  const options = { of: y, wrt: [wanted], seed: dy, opset: TARGET_OPSET, forms };
  const { graph, gradients } = differentiateGraph(g.build("gradient"), options);
  const outputsOf = [must(gradients, wanted)];
  const living = withoutDeadNodes(graph.nodes, graph.initializers, outputsOf);
  const read = new Set(living.nodes.flatMap(({ inputs: values }) => values));
  const fed = graph.inputs.filter((value) => read.has(value));
  const source = random(1);
  return {
    model: modelOf({ ...graph, ...living, inputs: fed, outputs: outputsOf }),
    feeds: new Map(fed.map(({ name }) => [name, noise(source, dims[name as keyof typeof dims])])),
  };
}

function noise(source: ReturnType<typeof random>, dims: readonly number[]): Tensor {
  return tensor(
    "float32",
    dims,
    new Float32Array(sizeOf(dims)).map(() => source.normal()),
  );
}
