/** @file TinyBERT's stages and losses on SST-2, at the size of two cores: a teacher pretrained and fine-tuned here, a student of half the depth and width. */
import { readFileSync } from "node:fs";
import { type Dataset, datasetOf, nearestRows, random, replaceWords, type Sample } from "../src/data/index.ts";
import {
  type DistillationLoss,
  distill,
  softTargets,
  type TransformerTargetOptions,
  transformerTargets,
  wordTable,
} from "../src/distill/index.ts";
import { isSparse, type Model, tensorFromNumbers } from "../src/ir/index.ts";
import {
  embedding,
  type Layers,
  layerNorm,
  learnedPositions,
  linear,
  network,
  normal,
  transformerBlock,
} from "../src/nn/index.ts";
import { adamw, crossEntropy, evaluateModel, fit, withParameters } from "../src/train/index.ts";
import { type Experiment, markdownTable } from "./experiment.ts";
import { isAbove, type Judgement, meanInterval, overSeeds, percentage, points } from "./judgement.ts";
import { meanAndDeviation } from "./training-folder.ts";

export interface TinyBertSize {
  readonly context: number;
  readonly vocabulary: number;
  readonly windows: number;
  readonly sentences: number;
  readonly test: number;
  readonly copies: number;
  /** Epochs of the stages; those of the task count the sentences themselves, without their copies. */
  readonly epochs: Readonly<Record<"pretraining" | "finetuning" | "general" | "intermediate" | "prediction", number>>;
  readonly seeds: readonly number[];
}

const full: TinyBertSize = {
  context: 24,
  vocabulary: 4000,
  windows: 12_000,
  sentences: 6919,
  test: 1820,
  copies: 4,
  epochs: { pretraining: 4, finetuning: 4, general: 4, intermediate: 10, prediction: 10 },
  seeds: [1, 2, 3],
};

const teacherForm = { depth: 4, width: 64, heads: 4 } as const;
const studentForm = { depth: 2, width: 32, heads: 4 } as const;

const [PADDING, UNKNOWN, MASK, WORDS] = [0, 1, 2, 3] as const;

type Form = { readonly depth: number; readonly width: number; readonly heads: number };

/** Pre-norm layers over words and positions. */
function encoder(n: Layers, { depth, width, heads }: Form, { context, vocabulary }: TinyBertSize) {
  const ids = n.input("ids", "int64", ["batch", context]);
  const words = embedding(n.scope("words"), ids, { vocabulary, width, weight: normal(0.1) }).value;
  let x = learnedPositions(n.scope("positions"), words);
  for (let i = 0; i < depth; i++) x = transformerBlock(n.scope(`block${i}`), x, { heads, hidden: 4 * width });
  return layerNorm(n.scope("norm"), x);
}

function classifier(form: Form, size: TinyBertSize, seed: number): Model {
  return network(random(seed), (n) => {
    n.output(linear(n.scope("head"), n.mean(encoder(n, form, size), [1]), 2), "logits");
  });
}

function filler(form: Form, size: TinyBertSize, seed: number): Model {
  return network(random(seed), (n) => {
    n.output(linear(n.scope("filler"), encoder(n, form, size), size.vocabulary), "words");
  });
}

/** The first network with what the second has under the same names. */
function from(model: Model, trained: Model): Model {
  const dense = [...trained.graph.initializers].flatMap(([{ name }, data]) =>
    isSparse(data) ? [] : [[name, data] as const],
  );
  const own = new Set([...model.graph.initializers.keys()].map(({ name }) => name));
  return withParameters(model, new Map(dense.filter(([name]) => own.has(name))));
}

interface Text {
  readonly train: Dataset;
  readonly test: Dataset;
  /** Windows of any text, as they are and with words hidden. */
  readonly windows: Dataset;
  readonly hidden: Dataset;
}

function textOf(shared: string, size: TinyBertSize): Text {
  const read = (name: string) => readFileSync(`${shared}/data/text/${name}`, "utf8");
  const rows = (name: string) =>
    read(`sst2/${name}.tsv`)
      .split("\n")
      .flatMap((line) => {
        const [sentence, label] = line.split("\t");
        return sentence && label !== undefined && label !== ""
          ? [{ words: wordsOf(sentence), label: Number(label) }]
          : [];
      });
  const [train, test] = [rows("train").slice(0, size.sentences), rows("test").slice(0, size.test)];
  const text = wordsOf(`${read("wikitext2-valid.txt")} ${read("wikitext2-test.txt")}`);
  const ids = idsOf([...train.flatMap(({ words }) => words), ...text], size.vocabulary);
  const padded = (words: readonly string[]) => {
    const known = words.slice(0, size.context).map((word) => ids.get(word) ?? UNKNOWN);
    return [...known, ...new Array<number>(size.context - known.length).fill(PADDING)];
  };
  const labelled = (list: typeof train): Dataset =>
    datasetOf({
      size: list.length,
      labels: async () => list.map(({ label }) => label),
      open: () => ({ read: (i) => sampleOf(padded(list[i]!.words), `${i}`, list[i]!.label) }),
    });
  const count = Math.min(size.windows, Math.floor(text.length / size.context));
  const windowAt = (i: number) => padded(text.slice(i * size.context, (i + 1) * size.context));
  const windows = datasetOf({ size: count, open: () => ({ read: (i) => sampleOf(windowAt(i), `${i}`) }) });
  const hidden = datasetOf({ size: count, open: () => ({ read: (i) => hiddenOf(windowAt(i), i) }) });
  return { train: labelled(train), test: labelled(test), windows, hidden };
}

function wordsOf(text: string): string[] {
  return text.toLowerCase().split(/\s+/).filter(Boolean);
}

/** The most frequent words, behind the tokens that are none. */
function idsOf(words: readonly string[], vocabulary: number): Map<string, number> {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  const order = [...counts].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1)).slice(0, vocabulary - WORDS);
  return new Map(order.map(([word], i) => [word, i + WORDS]));
}

function sampleOf(ids: readonly number[], source: string, label?: number): Sample {
  const inputs = new Map([["ids", tensorFromNumbers("int64", [ids.length], ids)]]);
  return { inputs, source, ...(label !== undefined && { label }) };
}

/** A seventh of the words is hidden and has to be found; the label of all others is padding. */
function hiddenOf(ids: readonly number[], window: number): Sample {
  const draw = random(11, 1, window);
  const isHidden = ids.map((id) => id !== PADDING && draw.uniform() < 0.15);
  const { inputs, source } = sampleOf(
    ids.map((id, i) => (isHidden[i] ? MASK : id)),
    `${window}`,
  );
  const labels = ids.map((id, i) => (isHidden[i] ? id : PADDING));
  return { source, inputs: new Map([...inputs, ["labels", tensorFromNumbers("int64", [ids.length], labels)]]) };
}

const usual = {
  batch: 32,
  optimizer: adamw({ weightDecay: 0.01 }),
  learningRate: 1e-3,
  schedule: "warmup",
  clip: 1,
  session: { threads: 1 },
} as const;

interface Stages {
  readonly general: boolean;
  /** The losses of the layers in the task's first stage; none without it. */
  readonly layers: TransformerTargetOptions | undefined;
  readonly copies: boolean;
}

/** The whole, and each part left out. */
const variants: Readonly<Record<string, Stages>> = {
  "all stages": { general: true, layers: {}, copies: true },
  "no general stage": { general: false, layers: {}, copies: true },
  "no layers in the task": { general: true, layers: undefined, copies: true },
  "no copies": { general: true, layers: {}, copies: false },
  "no attention": { general: true, layers: { attention: 0 }, copies: true },
  "no hidden states": { general: true, layers: { hidden: 0 }, copies: true },
  "no embeddings": { general: true, layers: { embedding: 0 }, copies: true },
  "soft targets alone": { general: false, layers: undefined, copies: false },
};

const [WHOLE] = Object.keys(variants) as [string];
const ALONE = "labels alone";
const TEACHER = "teacher";

interface Row {
  readonly way: string;
  readonly seed: number;
  readonly test: number;
}

interface Teachers {
  readonly general: Model;
  readonly task: Model;
}

async function teachersOf(text: Text, size: TinyBertSize, seed: number): Promise<Teachers> {
  const { pretraining, finetuning } = size.epochs;
  const { model: general } = await fit(filler(teacherForm, size, seed), {
    ...usual,
    seed,
    data: text.hidden,
    labels: "labels",
    loss: crossEntropy({ axis: -1, ignoreIndex: PADDING }),
    epochs: pretraining,
  }).result;
  const start = from(classifier(teacherForm, size, seed), general);
  const { model: task } = await fit(start, {
    ...usual,
    seed,
    data: text.train,
    loss: "crossEntropy",
    epochs: finetuning,
  }).result;
  return { general, task };
}

async function followed(
  student: Model,
  teacher: Model,
  losses: readonly DistillationLoss[],
  data: Dataset,
  { epochs, seed }: { readonly epochs: number; readonly seed: number },
): Promise<Model> {
  const run = distill(student, { ...usual, teacher, losses, data, epochs, seed, output: "logits" });
  return (await run.result).model;
}

async function taught(
  { general, layers, copies }: Stages,
  start: { readonly fresh: Model; readonly general: Model },
  { task }: Teachers,
  text: Text,
  size: TinyBertSize,
  seed: number,
): Promise<Model> {
  const near = nearestRows(wordTable(task).table, 15);
  const candidates = (token: number) => (token < WORDS ? [] : near(token).filter((other) => other >= WORDS));
  const data = copies ? replaceWords(text.train, { input: "ids", candidates, copies: size.copies, seed }) : text.train;
  const times = copies ? 1 : size.copies + 1;
  const pace = (epochs: number) => ({ epochs: Math.max(1, Math.round((times * epochs) / (size.copies + 1))), seed });
  let student = general ? start.general : start.fresh;
  if (layers) {
    const losses = transformerTargets(student, task, layers);
    student = await followed(student, task, losses, data, pace(size.epochs.intermediate));
  }
  return await followed(student, task, [softTargets()], data, pace(size.epochs.prediction));
}

export function tinyBertAt(size: TinyBertSize): Experiment<readonly Row[]> {
  const { epochs, copies, seeds } = size;
  return {
    name: "tinybert",
    claim:
      "A small transformer that follows a larger one in two stages, layer by layer and on more text, is better than one that follows its answers alone; every stage and loss has its part.",
    source: "arXiv:1909.10351",
    workload: `SST-2 by words (${size.vocabulary} of them, ${size.context} in a sentence), ${size.sentences} sentences to train on, ${size.test} of the test, seen once per network; wikitext-2 as general text. Teacher: ${teacherForm.depth} layers of width ${teacherForm.width}, pretrained by filling gaps (${epochs.pretraining} epochs of ${size.windows} windows) and fine-tuned; student: ${studentForm.depth} of width ${studentForm.width}. ${copies} copies of a sentence with words replaced; what goes without copies sees its sentences as often. AdamW at 0.001, batch 32, one thread. No setting was tuned, none chosen on the test.`,
    seeds: [...seeds],
    criterion: `over the seeds, paired, the whole 95 % interval of the difference in test accuracy is above 0 for all stages against soft targets alone, against labels alone, and against each variant that leaves a part out.`,
    async run({ shared, once, log }) {
      const text = textOf(shared, size);
      const rows: Row[] = [];
      for (const seed of seeds) {
        const done = await once(`seed ${seed}`, async () => {
          const scored = async (way: string, model: Model): Promise<Row> => {
            const options = {
              loss: "crossEntropy",
              metrics: ["accuracy"],
              data: text.test,
              session: { threads: 1 },
            } as const;
            const { accuracy } = await evaluateModel(model, options);
            log(`${way}, seed ${seed}: ${accuracy}`);
            return { way, seed, test: accuracy! };
          };
          const teachers = await teachersOf(text, size, seed);
          const fresh = classifier(studentForm, size, seed);
          const labelled = {
            ...usual,
            seed,
            data: text.train,
            loss: "crossEntropy",
            epochs: epochs.prediction,
          } as const;
          const all = [
            await scored(TEACHER, teachers.task),
            await scored(ALONE, (await fit(fresh, labelled).result).model),
          ];
          const layers = transformerTargets(fresh, teachers.general);
          const general = await followed(fresh, teachers.general, layers, text.windows, {
            epochs: epochs.general,
            seed,
          });
          for (const [way, stages] of Object.entries(variants)) {
            all.push(await scored(way, await taught(stages, { fresh, general }, teachers, text, size, seed)));
          }
          return all;
        });
        for (const row of done) rows.push(row);
      }
      return rows;
    },
    judge(rows) {
      const of = (way: string) => rows.filter((row) => row.way === way).map(({ test }) => test);
      const others = [ALONE, ...Object.keys(variants).filter((way) => way !== WHOLE)];
      return others.map((way): Judgement => {
        const gains = of(WHOLE).map((test, i) => test - of(way)[i]!);
        return {
          what: `${WHOLE} above ${way}`,
          holds: isAbove(meanInterval(gains), 0),
          figure: overSeeds(gains, points),
        };
      });
    },
    page(rows) {
      const ways = [...new Set(rows.map(({ way }) => way))];
      const alone = rows.filter(({ way }) => way === ALONE).map(({ test }) => test);
      const cells = ways.map((way) => {
        const own = rows.filter((row) => row.way === way).map(({ test }) => test);
        const { mean, deviation } = meanAndDeviation(own);
        const gains = own.map((test, i) => test - alone[i]!);
        return [way, `${percentage(mean)} ± ${percentage(deviation)}`, way === ALONE ? "" : overSeeds(gains, points)];
      });
      return markdownTable(["student", "test", "over labels alone"], cells);
    },
  };
}

export const tinybert = tinyBertAt(full);
