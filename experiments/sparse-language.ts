/** @file Which way of choosing zeros hurts a language model least: magnitudes, magnitudes times inputs, or SparseGPT. */
import { type Dataset, loadBatch, random, type TextParts, type Tokenizer } from "../src/data/index.ts";
import type { Model } from "../src/ir/index.ts";
import { gatherEvidence, reconstructModel, sparsifyModel } from "../src/prune/index.ts";
import { type Feeds, openSession } from "../src/runtime/index.ts";
import { crossEntropy, evaluateModel } from "../src/train/index.ts";
import { CONTEXT, shakespeareText, trainCharacterGpt } from "./character-gpt.ts";
import { type Experiment, type ExperimentContext, markdownTable } from "./experiment.ts";
import { everyOne } from "./judgement.ts";
import { onceModel } from "./once-model.ts";
import { meanAndDeviation } from "./training-folder.ts";

/** Windows of text that are looked at to choose weights. */
const CALIBRATION = 128;
const CALIBRATION_BATCH = 16;

const amounts = [{ sparsity: 0.5 }, { pattern: "2:4" }] as const;
const methods = ["magnitude", "wanda", "SparseGPT"] as const;
type Method = (typeof methods)[number];

interface TextRow {
  readonly seed: number;
  /** Perplexity per character on the held-out text. */
  readonly dense: number;
  readonly sparse: readonly { readonly amount: string; readonly perplexity: Readonly<Record<Method, number>> }[];
}

async function textRow(
  seed: number,
  parts: TextParts,
  tokenizer: Tokenizer,
  context: ExperimentContext,
): Promise<TextRow> {
  const { once, log } = context;
  const trained = () => trainCharacterGpt(`sparsity-gpt-${seed}`, seed, parts, tokenizer, log);
  const model = await onceModel(once, `gpt ${seed}`, async () => (await trained()).model);
  const exclude = model.graph.nodes.map(({ name }) => name).filter((name) => name.startsWith("head"));
  const batches = () => calibration(model, parts.training, seed);
  const evidence = await gatherEvidence(model, { kinds: ["inputs"], open: openSession, batches });
  const perplexity = async (of: Model) => {
    const options = { data: parts.validation!, labels: "labels", loss: crossEntropy({ axis: -1 }), batch: 16 };
    return Math.exp((await evaluateModel(of, options)).loss!);
  };
  const sparse: TextRow["sparse"][number][] = [];
  for (const amount of amounts) {
    const made: Readonly<Record<Method, () => Promise<Model>>> = {
      magnitude: async () => sparsifyModel(model, { ...amount, exclude }).model,
      wanda: async () => sparsifyModel(model, { ...amount, exclude, criterion: "wanda", evidence }).model,
      SparseGPT: async () => (await reconstructModel(model, { ...amount, exclude, open: openSession, batches })).model,
    };
    const key = "pattern" in amount ? amount.pattern : `${100 * amount.sparsity} %`;
    const found: [Method, number][] = [];
    for (const method of methods) {
      found.push([method, await once(`gpt ${seed} ${key} ${method}`, async () => perplexity(await made[method]()))]);
      log(`seed ${seed}, ${key}, ${method}: ${found.at(-1)![1].toFixed(3)}`);
    }
    sparse.push({ amount: key, perplexity: Object.fromEntries(found) as Record<Method, number> });
  }
  return { seed, dense: await once(`gpt ${seed} dense`, () => perplexity(model)), sparse };
}

/** Windows of the training text, drawn by the seed. */
export async function* calibration({ graph }: Model, training: Dataset, seed: number): AsyncGenerator<Feeds> {
  const draws = random(seed, 0xca1);
  const [input] = graph.inputs;
  const port = { name: input!.name, dtype: "int64", dims: ["batch", CONTEXT] } as const;
  for (let done = 0; done < CALIBRATION; done += CALIBRATION_BATCH) {
    const positions = Array.from({ length: CALIBRATION_BATCH }, () => Math.floor(draws.uniform() * training.size));
    yield (await loadBatch(training, { positions, seed: 0, epoch: 0 }, { port })).feeds;
  }
}

async function run(context: ExperimentContext): Promise<readonly TextRow[]> {
  const { shared, once } = context;
  const { tokenizer, parts } = shakespeareText(shared);
  const texts: TextRow[] = [];
  for (const seed of SEEDS) texts.push(await once(`text ${seed}`, () => textRow(seed, parts, tokenizer, context)));
  return texts;
}

const SEEDS = [1, 2, 3] as const;

export const sparseLanguage: Experiment<readonly TextRow[]> = {
  name: "sparse-language",
  claim:
    "What a weight is multiplied with tells better than its magnitude alone whether a language model can do without it.",
  source: "Sun et al. (2306.11695); Frantar and Alistarh (2301.00774)",
  workload: `Tiny Shakespeare: the GPT of \`shakespeare\`, trained as there, its head left alone; ${CALIBRATION} windows of the training text to choose by, no training afterwards.`,
  seeds: SEEDS,
  criterion: "Wanda and SparseGPT below the perplexity of magnitude, at 50 % and 2:4, for every seed.",
  run,
  judge: (texts) => [
    everyOne(
      "Wanda and SparseGPT have a lower perplexity than magnitude, at 50 % and 2:4, for every seed",
      texts.flatMap(({ seed, sparse }) => sparse.map((each) => ({ seed, ...each }))),
      ({ perplexity: { magnitude, wanda, SparseGPT } }) => Math.max(wanda, SparseGPT) < magnitude,
      ({ seed, amount, perplexity }) =>
        `seed ${seed}, ${amount}: ${methods.map((method) => `${method} ${perplexity[method].toFixed(3)}`).join(", ")}`,
    ),
  ],
  page(texts) {
    const languages = markdownTable(
      ["seed", "zeros", "dense", ...methods],
      texts.flatMap(({ seed, dense, sparse }) =>
        sparse.map(({ amount, perplexity }) => [
          ...[seed, amount, dense.toFixed(3)],
          ...methods.map((method) => perplexity[method].toFixed(3)),
        ]),
      ),
    );
    const means = texts[0]?.sparse.map(({ amount }, i) => {
      const of = (method: Method) =>
        meanAndDeviation(texts.map(({ sparse }) => sparse[i]!.perplexity[method])).mean.toFixed(3);
      return `${amount}: ${methods.map((method) => `${method} ${of(method)}`).join(", ")}`;
    });
    return `${languages}\n\nMean perplexity per character: ${(means ?? []).join("; ")}.`;
  },
};
