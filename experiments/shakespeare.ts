/** @file Real learning from scratch: a small GPT on tiny Shakespeare, character by character. */
import { readFileSync } from "node:fs";
import { characterTokenizer, random, type TextParts, type Tokenizer, textParts } from "../src/data/index.ts";
import { gpt } from "../src/models/index.ts";
import { adamw, crossEntropy, fit, muon, warmup } from "../src/train/index.ts";
import { type Experiment, markdownTable } from "./experiment.ts";
import { everyOne } from "./judgement.ts";
import { meanAndDeviation, trainResumably } from "./training-folder.ts";

const BOUND = 1.7;
const CONTEXT = 128;
const size = { width: 128, depth: 4, heads: 4 } as const;

interface Row {
  readonly seed: number;
  /** Nats per character. */
  readonly validation: number;
  readonly training: number;
  readonly parameters: number;
  readonly updates: number;
  readonly cpuMinutes: number;
}

async function train(
  seed: number,
  { training, validation }: TextParts,
  { vocabulary }: Tokenizer,
  log: (line: string) => void,
): Promise<Row> {
  const model = gpt(random(seed), { vocabulary, context: CONTEXT, ...size });
  const start = (folder: string) =>
    fit(model, {
      data: training,
      labels: "labels",
      evaluate: { data: validation!, batch: 16 },
      epochs: 1,
      batch: 16,
      loss: crossEntropy({ axis: -1 }),
      optimizer: muon({
        scale: "adamw",
        applies: ({ name, dims }) => dims.length === 2 && name.startsWith("block"),
        others: adamw({ betas: [0.9, 0.99], weightDecay: 0.1 }),
      }),
      learningRate: 4e-3,
      schedule: warmup({ steps: 0.05 }),
      clip: 1,
      seed,
      session: { threads: 1 },
      checkpoint: { folder, everySteps: 200 },
      resume: true,
    });
  const { report, cpuMinutes } = await trainResumably(`shakespeare-${seed}`, start, log);
  const { loss, parameters, updates, evaluations } = report;
  return { seed, validation: evaluations.at(-1)!.metrics.loss!, training: loss, parameters, updates, cpuMinutes };
}

export const shakespeare: Experiment<readonly Row[]> = {
  name: "shakespeare",
  claim: "A small GPT learns tiny Shakespeare from scratch on stock ONNX Runtime within minutes.",
  source: "lithe",
  workload: `characters; the last 10 % of the text held out; ${size.depth} blocks of width ${size.width}, ${CONTEXT} characters of context; Muon for the matrices of the blocks and AdamW for the rest; cpu, 1 thread, batch 16.`,
  seeds: [1, 2, 3],
  criterion: `a loss of at most ${BOUND} nats per character on the held-out text, for every seed.`,
  async run({ shared, once, log }) {
    const text = readFileSync(`${shared}/data/text/tinyshakespeare.txt`, "utf8");
    const tokenizer = characterTokenizer(text);
    const parts = textParts(text, { tokenizer, context: CONTEXT, stride: CONTEXT / 4 });
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
