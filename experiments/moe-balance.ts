/** @file What the losses for balance do: the table of Shazeer et al. with four settings, on a small language model. */
import { readFileSync } from "node:fs";
import { measureMixture, moeGpt, noisyTopK } from "../src/conditional/index.ts";
import { batches, characterTokenizer, random, type TextParts, textParts } from "../src/data/index.ts";
import { openSession } from "../src/runtime/index.ts";
import { adamw } from "../src/train/index.ts";
import { type Experiment, markdownTable } from "./experiment.ts";
import { isAbove, isAtLeast, type Judgement, meanInterval, overSeeds, ratio } from "./judgement.ts";
import { trainGpt } from "./train-gpt.ts";
import { meanAndDeviation } from "./training-folder.ts";

export interface BalanceSize {
  readonly context: number;
  readonly width: number;
  readonly depth: number;
  readonly heads: number;
  readonly hidden: number;
  readonly experts: number;
  readonly k: number;
  /** Characters of the text that are used. */
  readonly characters: number;
  readonly batch: number;
}

const full: BalanceSize = {
  context: 64,
  width: 64,
  depth: 2,
  heads: 2,
  hidden: 64,
  experts: 16,
  k: 2,
  characters: 400_000,
  batch: 16,
};

/** Factors of the importance loss and of the load loss. */
const SETTINGS = [
  [0, 0],
  [0.2, 0],
  [0, 0.2],
  [0.1, 0.1],
] as const;

interface Row {
  readonly seed: number;
  readonly importance: number;
  readonly load: number;
  /** Nats per character on held-out text. */
  readonly validation: number;
  readonly importanceVariation: number;
  readonly loadVariation: number;
  readonly maxOverMean: number;
}

async function trained(
  [importance, load]: (typeof SETTINGS)[number],
  seed: number,
  parts: TextParts,
  vocabulary: number,
  { k, batch, characters: _, ...size }: BalanceSize,
  log: (line: string) => void,
): Promise<Row> {
  const model = moeGpt(random(seed), { vocabulary, ...size, gate: noisyTopK({ k, importance, load }) });
  const name = `moe-balance-${importance}-${load}-${seed}`;
  const optimizer = adamw({ weightDecay: 0.01 });
  const result = await trainGpt({ name, model, parts, optimizer, learningRate: 3e-3, batch, seed }, log);
  const port = { name: "ids", dtype: "int64", dims: ["batch", size.context] } as const;
  async function* inputs() {
    for await (const { feeds } of batches(parts.validation!, { port, batch })) yield feeds;
  }
  const [measured] = await measureMixture(result.model, inputs(), openSession, { threads: 1 });
  return {
    seed,
    importance,
    load,
    validation: result.validation,
    importanceVariation: measured!.importanceBalance!.variation,
    loadVariation: measured!.loadBalance!.variation,
    maxOverMean: measured!.loadBalance!.maxOverMean,
  };
}

export function moeBalanceAt(size: BalanceSize): Experiment<readonly Row[]> {
  return {
    name: "moe-balance",
    claim:
      "Without losses for balance a few experts get most of the tokens; the importance loss, and more so the load loss, evens it out.",
    source: "arXiv:1701.06538, table 6",
    workload: `tiny Shakespeare, the first ${size.characters} characters, the last 10 % of them held out; a GPT of ${size.depth} blocks of width ${size.width} with ${size.experts} experts of ${size.hidden} hidden units in the last one, noisy top-${size.k}; one pass, batch ${size.batch}, cpu, 1 thread. Balance is measured on the held-out text without noise.`,
    seeds: [1, 2, 3],
    criterion:
      "max/mean load falls from (0, 0) to every other setting, and is least with the load loss, in the mean over the seeds.",
    async run({ shared, once, log }) {
      const text = readFileSync(`${shared}/data/text/tinyshakespeare.txt`, "utf8").slice(0, size.characters);
      const tokenizer = characterTokenizer(text);
      const parts = textParts(text, { tokenizer, context: size.context });
      const rows: Row[] = [];
      for (const setting of SETTINGS) {
        for (const seed of this.seeds) {
          const work = () => trained(setting, seed, parts, tokenizer.vocabulary, size, log);
          rows.push(await once(`${setting.join(", ")}, seed ${seed}`, work));
        }
      }
      return rows;
    },
    judge: judgeRows,
    page(rows) {
      const of = (importance: number, load: number, field: keyof Row) =>
        meanAndDeviation(rows.filter((row) => row.importance === importance && row.load === load).map((r) => r[field]));
      const cell = ([importance, load]: (typeof SETTINGS)[number], field: keyof Row) => {
        const { mean, deviation } = of(importance, load, field);
        return `${mean.toFixed(2)} ± ${deviation.toFixed(2)}`;
      };
      const fields = ["importanceVariation", "loadVariation", "maxOverMean", "validation"] as const;
      const cells = SETTINGS.map((setting) => [...setting, ...fields.map((field) => cell(setting, field))]);
      return markdownTable(
        ["importance loss", "load loss", "CV of importance", "CV of load", "max/mean load", "held-out loss"],
        cells,
      );
    },
  };
}

export const moeBalance = moeBalanceAt(full);

function judgeRows(rows: readonly Row[]): readonly Judgement[] {
  const loads = ([importance, load]: (typeof SETTINGS)[number]) =>
    rows.filter((row) => row.importance === importance && row.load === load).map(({ maxOverMean }) => maxOverMean);
  const less = (from: (typeof SETTINGS)[number], to: (typeof SETTINGS)[number]) => {
    const after = loads(to);
    return loads(from).map((load, seed) => load - after[seed]!);
  };
  const [none, importance, load] = SETTINGS;
  const falls = SETTINGS.slice(1).map((setting): Judgement => {
    const gains = less(none, setting);
    return {
      what: `max/mean load falls from (0, 0) to (${setting.join(", ")})`,
      holds: isAbove(meanInterval(gains), 0),
      figure: `by ${overSeeds(gains, ratio)}`,
    };
  });
  const gains = less(importance, load);
  return [
    ...falls,
    {
      what: "it is less with the load loss than with the importance loss of the same factor",
      holds: isAtLeast(meanInterval(gains), 0),
      figure: `by ${overSeeds(gains, ratio)}`,
    },
  ];
}
