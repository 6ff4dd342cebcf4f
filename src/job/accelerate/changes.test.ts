import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { pointNetwork, points } from "../../../test/cli/points.ts";
import { command } from "../../cli/accelerate.ts";
import { parseArguments } from "../../cli/arguments.ts";
import { CancelledError, UsageError } from "../../errors.ts";
import { encodeModel } from "../../onnx/index.ts";
import { costOf } from "../../ops/index.ts";
import { openRunFolder } from "../../report/index.ts";
import type { Console } from "../console.ts";
import { loadData } from "../data/load.ts";
import { changesIn, checkChanges, plannedChanges } from "./changes.ts";

let folder = "";
let path = "";
let data = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "lithe-"));
  path = join(folder, "dense.onnx");
  data = join(folder, "points.jsonl");
  await writeFile(path, encodeModel(pointNetwork));
  await writeFile(data, points(200));
});
afterEach(() => rm(folder, { recursive: true }));

const { signal } = new AbortController();
const console: Console = { json: false, signal, say: () => undefined, progress: () => undefined };

function optionsOf(...words: readonly string[]) {
  const counts = ["--calibration-samples", "40", "--eval-samples", "60", "--batch", "20"];
  return parseArguments("accelerate", "", command, [path, "--data", data, ...counts, ...words])!.settings;
}

/** The steps that are asked for, in a folder of a run. */
async function changed(...words: readonly string[]) {
  const options = optionsOf(...words);
  checkChanges(options);
  const loaded = await loadData(pointNetwork, options, console);
  const planned = await plannedChanges(pointNetwork, options, loaded, console);
  const run = await openRunFolder(join(folder, "run"), {}, { resume: options.resume === true });
  return { run, planned, changes: planned && changesIn(run, planned, options, console) };
}

describe("the networks that an acceleration tries", () => {
  it("are none where none is asked for", async () => {
    const { run, changes } = await changed();
    await run[Symbol.asyncDispose]();
    expect(changes).toBeUndefined();
  });

  it("are as narrow as each share says, and chosen by samples only where those are given", async () => {
    const { run, planned, changes } = await changed("--prune", "0.25,0.5", "--round", "4", "--finetune", "1");
    const macs: number[] = [];
    for (const [step] of changes!.chains) macs.push(costOf(await step!.apply(planned!.from, signal)).macs);
    await run[Symbol.asyncDispose]();
    expect(macs).toEqual([108, 72]);
    const chosen = optionsOf("--prune", "0.5", "--criterion", "wanda");
    expect(() => checkChanges(chosen)).not.toThrow();
    const { data: _, ...without } = chosen;
    expect(() => checkChanges(without)).toThrow(/--criterion wanda needs data/);
  });

  it("are one chain for each share, trained where that is asked for", async () => {
    const { run, changes } = await changed("--prune", "0.25,0.5", "--round", "4", "--finetune", "2");
    await run[Symbol.asyncDispose]();
    expect(changes!.chains.map((chain) => chain.map(({ name }) => name))).toEqual([
      ["prune 0.25 rounded 4", "recover 2 epochs"],
      ["prune 0.5 rounded 4", "recover 2 epochs"],
    ]);
    const untrained = await changed("--prune", "0.5");
    await untrained.run[Symbol.asyncDispose]();
    expect(untrained.changes!.chains.map((chain) => chain.map(({ trains }) => trains))).toEqual([[false]]);
  });

  it("are told before any work", async () => {
    const { run, planned } = await changed("--prune", "0.5", "--round", "8");
    await run[Symbol.asyncDispose]();
    expect(planned!.sentences).toEqual([
      expect.stringMatching(/^prune 0\.5 rounded 8: 1 of 2 widths narrowed: 2\.00× fewer multiply-accumulates/),
    ]);
  });

  it("are pruned, then trained on, and what was trained is not trained again", async () => {
    const words = ["--prune", "0.5", "--round", "8", "--finetune", "1", "--train-batch", "20"];
    const { run, changes } = await changed(...words);
    const [prune, recover] = changes!.chains[0]!;
    const narrow = await prune!.apply(changes!.from, signal);
    expect(costOf(narrow).macs).toBeLessThan(costOf(changes!.from).macs);
    const trained = await recover!.apply(narrow, signal);
    expect(encodeModel(trained)).not.toEqual(encodeModel(narrow));
    expect(await readdir(join(run.path, "checkpoints"))).toEqual(["prune-0.5-rounded-8"]);
    await run[Symbol.asyncDispose]();

    const resumed = await changed(...words, "--resume");
    const aborted = AbortSignal.abort();
    const kept = await resumed.changes!.chains[0]![1]!.apply(narrow, aborted);
    expect(encodeModel(kept)).toEqual(encodeModel(trained));
    await resumed.run[Symbol.asyncDispose]();
  });

  it("are trained on other data where they are given", async () => {
    const more = join(folder, "more.jsonl");
    await writeFile(more, points(300));
    const sizeOf = async (...words: readonly string[]) => {
      const { run, planned } = await changed("--prune", "0.5", "--finetune", "1", ...words);
      await run[Symbol.asyncDispose]();
      return planned!.data.datasets!.training.size;
    };
    expect([await sizeOf(), await sizeOf("--train-data", more)]).toEqual([100, 300]);
  });

  it("end with the signal", async () => {
    const { run, changes } = await changed("--prune", "0.5", "--finetune", "1");
    const [, recover] = changes!.chains[0]!;
    await expect(recover!.apply(changes!.from, AbortSignal.abort())).rejects.toThrow(CancelledError);
    await run[Symbol.asyncDispose]();
  });

  it("are refused where they cannot be", async () => {
    await expect(changed("--finetune", "1")).rejects.toThrow(/--prune/);
    await expect(changed("--prune", "0.01")).rejects.toThrow(/takes nothing away/);
    await expect(changed("--prune", "0.5", "--finetune", "1", "--data", "random")).rejects.toThrow(UsageError);
  });
});
