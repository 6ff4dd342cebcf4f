/** @file Real learning from scratch: a small GPT on tiny Shakespeare, character by character. */
import type { TextParts, Tokenizer } from "../src/data/index.ts";
import { CONTEXT, shakespeareText, size, trainCharacterGpt } from "./character-gpt.ts";
import { type Experiment, markdownTable } from "./experiment.ts";
import { everyOne } from "./judgement.ts";
import { meanAndDeviation } from "./training-folder.ts";

const BOUND = 1.7;

interface Row {
  readonly seed: number;
  /** Nats per character. */
  readonly validation: number;
  readonly training: number;
  readonly parameters: number;
  readonly updates: number;
  readonly cpuMinutes: number;
}

async function train(seed: number, parts: TextParts, tokenizer: Tokenizer, log: (line: string) => void): Promise<Row> {
  const trained = await trainCharacterGpt(`shakespeare-${seed}`, seed, parts, tokenizer, log);
  const { report, cpuMinutes, validation } = trained;
  const { loss, parameters, updates } = report;
  return { seed, validation, training: loss, parameters, updates, cpuMinutes };
}

export const shakespeare: Experiment<readonly Row[]> = {
  name: "shakespeare",
  claim: "A small GPT learns tiny Shakespeare from scratch on stock ONNX Runtime within minutes.",
  source: "lithe",
  workload: `characters; the last 10 % of the text held out; ${size.depth} blocks of width ${size.width}, ${CONTEXT} characters of context; Muon for the matrices of the blocks and AdamW for the rest; cpu, 1 thread, batch 16.`,
  seeds: [1, 2, 3],
  criterion: `a loss of at most ${BOUND} nats per character on the held-out text, for every seed.`,
  async run({ shared, once, log }) {
    const { tokenizer, parts } = shakespeareText(shared);
    const rows: Row[] = [];
    for (const seed of this.seeds) rows.push(await once(`seed ${seed}`, () => train(seed, parts, tokenizer, log)));
    return rows;
  },
  judge: (rows) => [
    everyOne(
      `at most ${BOUND} nats per character on the held-out text, for every seed`,
      rows,
      ({ validation }) => validation <= BOUND,
      ({ seed, validation }) => `seed ${seed} ${validation.toFixed(3)}`,
    ),
  ],
  page(rows) {
    const cells = rows.map((row) => [
      row.seed,
      row.training.toFixed(3),
      row.validation.toFixed(3),
      row.updates,
      row.cpuMinutes.toFixed(1),
    ]);
    const { mean, deviation } = meanAndDeviation(rows.map(({ validation }) => validation));
    return [
      markdownTable(["seed", "training loss, mean of the run", "held-out loss", "updates", "CPU minutes"], cells),
      `${rows[0]?.parameters ?? 0} parameters; held-out loss ${mean.toFixed(3)} ± ${deviation.toFixed(3)}.`,
    ].join("\n\n");
  },
};
