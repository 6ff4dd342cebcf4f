/** @file `lithe plan MODEL --cluster FILE`: how to train it there, and what each plan is limited by. */

import * as z from "zod";
import { optimizerCopies, planTraining } from "../distributed/index.ts";
import type { Console, Outcome } from "../job/console.ts";
import { firstBatch, loadData } from "../job/data/load.ts";
import { measuredRates } from "../job/plan/measured-rates.ts";
import { readCluster } from "../job/plan/read-cluster.ts";
import { loadModel } from "../onnx/files.ts";
import { flag, memberOf, numbersBetween, setting, text, whole } from "../settings/index.ts";
import { defineCommand } from "./command.ts";
import { showPlan } from "./plan-text.ts";

const settings = z.strictObject({
  cluster: setting("--cluster <file>", "hosts, devices, memory and links, as JSON", text()),
  batch: setting("--batch <n>", "samples of an update, over all devices (32 for each)", whole(1).exactOptional()),
  optimizer: setting(
    "--optimizer <name>",
    "what keeps copies of the parameters",
    memberOf(optimizerCopies).default("adamw"),
  ),
  compress: setting(
    "--compress <list>",
    "ratios of compressed gradients that may be chosen, `4,100`",
    numbersBetween(1, 1e6).exactOptional(),
  ),
  measure: setting("--measure", "rates of this machine in the place of the file's", flag().exactOptional()),
  seed: setting("--seed <n>", "seed of the inputs that are measured on", whole(0).default(1)),
});

async function run([path]: readonly string[], options: z.output<typeof settings>, console: Console): Promise<Outcome> {
  const { batch, optimizer, compress, seed } = options;
  const cluster = await readCluster(options.cluster);
  const model = await loadModel(path!);
  const measured = options.measure ? await ratesHere() : undefined;
  const plan = planTraining(model, {
    cluster,
    optimizer,
    ...(compress && { compressions: compress }),
    ...(batch !== undefined && { batch }),
    ...(measured && { rates: measured }),
  });
  const rates = measured ?? cluster.rates;
  if (!console.json) showPlan(plan, cluster, console);
  return { result: { ...plan, rates, measured: measured !== undefined } };

  async function ratesHere() {
    const data = await loadData(model, { data: "random", seed, batch: 8, ep: "cpu", threads: 1 }, console);
    return measuredRates(model, (await firstBatch(data)).feeds);
  }
}

export const command = defineCommand({ operands: [["<model>", "an .onnx file"]], settings, run });
