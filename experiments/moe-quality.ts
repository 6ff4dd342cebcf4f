/** @file What a mixture is worth: a GPT of experts against dense ones of equal work and of equal parameters, and against hashing. */
import { readFileSync } from "node:fs";
import { gates, moeGpt } from "../src/conditional/index.ts";
import { characterTokenizer, random, type TextParts, textParts } from "../src/data/index.ts";
import type { Model } from "../src/ir/index.ts";
import { type GptOptions, gpt, gptAround, gptBlock } from "../src/models/index.ts";
import { chain, mlpBlock, normal, zeros } from "../src/nn/index.ts";
import { adamw } from "../src/train/index.ts";
import { type Experiment, markdownTable } from "./experiment.ts";
import { isAbove, meanInterval, overSeeds } from "./judgement.ts";
import { trainGpt } from "./train-gpt.ts";
import { meanAndDeviation } from "./training-folder.ts";

export interface QualitySize {
  readonly context: number;
  readonly width: number;
  readonly depth: number;
  readonly heads: number;
  readonly experts: number;
  readonly batch: number;
  readonly characters: number;
}

const full: QualitySize = {
  context: 128,
  width: 96,
  depth: 4,
  heads: 4,
  experts: 8,
  batch: 16,
  characters: Number.POSITIVE_INFINITY,
};

const forms = {
  "dense, equal work": (seed, options) => gpt(random(seed), options),
  "dense, equal parameters": (seed, options, experts) => wideGpt(seed, options, experts),
  "switch, 1 of E": (seed, options, experts) => moeGpt(random(seed), { ...options, experts }),
  "hash, 1 of E": (seed, options, experts) =>
    moeGpt(random(seed), { ...options, experts, gate: gates["token-hash"]() }),
} satisfies Record<string, (seed: number, options: GptOptions, experts: number) => Model>;

type Form = keyof typeof forms;

/** Every second MLP with the hidden units of all experts of `moeGpt` together. */
function wideGpt(seed: number, options: GptOptions, experts: number): Model {
  const { width = 256, depth = 4 } = options;
  const hidden = 4 * width * experts;
  return gptAround(random(seed), options, (n, tokens) =>
    chain(
      n,
      tokens,
      (inner, x, i) =>
        gptBlock(
          options,
          i % 2 === 1 ? (at, y) => mlpBlock(at, y, { hidden, weight: normal(0.02), biasInitial: zeros }) : undefined,
        )(inner, x),
      depth,
    ),
  );
}

interface Row {
  readonly form: Form;
  readonly seed: number;
  /** Nats per character. */
  readonly validation: number;
  readonly parameters: number;
  readonly updates: number;
  readonly cpuMinutes: number;
}

async function trained(
  form: Form,
  seed: number,
  parts: TextParts,
  vocabulary: number,
  { experts, batch, context, width, depth, heads }: QualitySize,
  log: (line: string) => void,
): Promise<Row> {
  const model = forms[form](seed, { vocabulary, context, width, depth, heads }, experts);
  const name = `moe-quality-${Object.keys(forms).indexOf(form)}-${seed}`;
  const optimizer = adamw({ betas: [0.9, 0.99], weightDecay: 0.1 });
  const result = await trainGpt({ name, model, parts, optimizer, learningRate: 2e-3, batch, seed }, log);
  const { report, cpuMinutes, validation } = result;
  return { form, seed, validation, parameters: report.parameters, updates: report.updates, cpuMinutes };
}

export function moeQualityAt(size: QualitySize): Experiment<readonly Row[]> {
  return {
    name: "moe-quality",
    claim:
      "At equal steps a mixture of experts learns more than a dense network of equal work, and comes near to one of equal parameters.",
    source: "arXiv:2101.03961, arXiv:2106.04426",
    workload: `tiny Shakespeare by characters, the last 10 % held out; GPTs of ${size.depth} blocks of width ${size.width}, ${size.context} characters of context; E = ${size.experts} experts of the dense MLP's size in every second block, top-1, dropless; AdamW, one pass over overlapping windows, batch ${size.batch}, cpu, 1 thread. No setting was tuned.`,
    seeds: [1, 2, 3],
    criterion: "the mean held-out loss of the switch GPT is below that of the dense GPT of equal work.",
    async run({ shared, once, log }) {
      const text = readFileSync(`${shared}/data/text/tinyshakespeare.txt`, "utf8").slice(0, size.characters);
      const tokenizer = characterTokenizer(text);
      const parts = textParts(text, { tokenizer, context: size.context, stride: size.context / 2 });
      const rows: Row[] = [];
      for (const seed of this.seeds) {
        for (const form of Object.keys(forms) as Form[]) {
          const work = () => trained(form, seed, parts, tokenizer.vocabulary, size, log);
          rows.push(await once(`${form}, seed ${seed}`, work));
        }
      }
      return rows;
    },
    judge(rows) {
      const lossesOf = (form: Form) => rows.filter((row) => row.form === form).map(({ validation }) => validation);
      const under = (form: Form) => {
        const own = lossesOf("switch, 1 of E");
        return lossesOf(form).map((loss, seed) => loss - own[seed]!);
      };
      const nats = (x: number) => `${x.toFixed(3)} nats`;
      const work = under("dense, equal work");
      return [
        {
          what: "the held-out loss of the switch GPT is below that of the dense GPT of equal work",
          holds: isAbove(meanInterval(work), 0),
          figure: `by ${overSeeds(work, nats)}; below that of equal parameters by ${overSeeds(under("dense, equal parameters"), nats)}, below hashing's by ${overSeeds(under("hash, 1 of E"), nats)}`,
        },
      ];
    },
    page(rows) {
      const lossOf = (form: Form) =>
        meanAndDeviation(rows.filter((row) => row.form === form).map(({ validation }) => validation));
      const cells = (Object.keys(forms) as Form[]).map((form) => {
        const { mean, deviation } = lossOf(form);
        const own = rows.filter((row) => row.form === form);
        const minutes = meanAndDeviation(own.map(({ cpuMinutes }) => cpuMinutes)).mean;
        return [form, own[0]?.parameters ?? 0, `${mean.toFixed(3)} ± ${deviation.toFixed(3)}`, minutes.toFixed(1)];
      });
      return markdownTable(["network", "parameters", "held-out loss", "CPU minutes"], cells);
    },
  };
}

export const moeQuality = moeQualityAt(full);
