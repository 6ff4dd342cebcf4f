/** @file The time and the memory that forms of large models take. */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { type Experiment, markdownTable } from "./experiment.ts";
import { everyOne } from "./judgement.ts";

interface Row {
  readonly model: string;
  readonly bytes: number;
  readonly form: string;
  readonly code: number | null;
  readonly seconds: number;
  /** Of the model's bytes. */
  readonly ratio: number;
  /** Of the machine before, over a minute. */
  readonly load: number;
}

const root = fileURLToPath(new URL("../", import.meta.url));

/** The rows of the model whose name starts so. */
function measured(start: string): Row[] {
  const words = ["--import", `${root}scripts/typescript.mjs`, `${root}bench/large-models.ts`, start];
  const lines = execFileSync(process.execPath, words, { encoding: "utf8" }).trim().split("\n");
  return lines.map((line) => JSON.parse(line) as Row);
}

const SECONDS = 30;
const RATIO = 3;

export const largeModels: Experiment<readonly Row[]> = {
  name: "large-models",
  claim:
    "Forms of large models are made, verified and written within three times the model's bytes of memory and 30 s.",
  source: "lithe",
  workload:
    "Generated language models, an embedding and residual products: 600 MB in one file, 2.5 GB with external data. `lithe quantize` on random inputs, from start to end, in two forms; the memory is the peak of the resident memory of all its processes together, and of what lies in `/dev/shm` (`bench/large-models.ts`).",
  seeds: [],
  criterion: "every row keeps both bounds.",
  async run({ once, log }) {
    const rows: Row[] = [];
    for (const start of ["600 MB", "2.5 GB"]) {
      log(start);
      for (const row of await once(start, async () => measured(start))) rows.push(row);
    }
    return rows;
  },
  judge: (rows) => [
    everyOne(
      `every form is made within ${SECONDS} s`,
      rows,
      ({ code, seconds }) => code === 0 && seconds <= SECONDS,
      ({ model, form, seconds, code }) => `${model}, ${form}: ${seconds} s, exit ${code}`,
    ),
    everyOne(
      `within ${RATIO} times the model's bytes of memory`,
      rows,
      (row) => row.ratio <= RATIO,
      ({ model, form, ratio }) => `${model}, ${form}: ${ratio} times`,
    ),
  ],
  page(rows) {
    const isKept = ({ code, seconds, ratio }: Row): boolean => code === 0 && seconds <= SECONDS && ratio <= RATIO;
    const table = markdownTable(
      ["model", "form", "seconds", "peak memory / model", "load before", ""],
      rows.map((row) => [row.model, row.form, row.seconds, row.ratio, row.load, isKept(row) ? "✓" : "✗"]),
    );
    return `${table}\n\n${rows.filter(isKept).length} of ${rows.length} keep both bounds.`;
  },
};
