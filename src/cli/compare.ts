/** @file `lithe compare A B`: two models on the same inputs. */

import { basename } from "node:path";
import * as z from "zod";
import { loadData, timedBatches } from "../job/data/load.ts";
import { fingerprint } from "../job/model/model-file.ts";
import { dataSettings, runtimeSettings } from "../job/settings/settings.ts";
import { brokenBounds, showComparison } from "../job/verify/bounds.ts";
import { openOriginal } from "../job/verify/compare-with-original.ts";
import { firstDivergence } from "../job/verify/first-divergence.ts";
import { compareSessions, dependsOnData, openReplicated } from "../measure/index.ts";
import { loadModel } from "../onnx/files.ts";
import { openSession } from "../runtime/index.ts";
import { between, setting, whole } from "../settings/index.ts";
import { defineCommand } from "./command.ts";

const share = () => between(0, 1).exactOptional();

export const command = defineCommand({
  operands: [
    ["<a>", "an .onnx file, the reference"],
    ["<b>", "an .onnx file"],
  ],
  settings: z.strictObject({
    ...runtimeSettings,
    ...dataSettings,
    rounds: setting("--rounds <n>", "rounds of the latency comparison, at most", whole(1).default(60)),
    maxDrop: setting("--max-drop <share>", "fail when B is less accurate than A by more than this", share()),
    minAgreement: setting("--min-agreement <share>", "fail when fewer answers (or a smaller cosine) agree", share()),
    divergence: setting(
      "--divergence <error>",
      "also find the first node whose relative error passes this",
      between(0, 10).exactOptional(),
    ),
  }),
  async run([pathA, pathB], options, console) {
    const [a, b] = [await loadModel(pathA!), await loadModel(pathB!)];
    const data = await loadData(a, { data: "random", ...options }, console);
    const { feeds, count } = await timedBatches(data, [a, b].some(dependsOnData));
    const { ep, threads, seed, rounds } = options;
    await using before = await openOriginal(pathA!, a, options);
    const stock = { ep, threads, stock: true, name: basename(pathB!), step: "comparing" };
    const { bytes } = await fingerprint(pathB!);
    await using after = await openReplicated(openSession, b, bytes, stock);
    const result = await compareSessions(
      { ...before, bytes: (await fingerprint(pathA!)).bytes },
      { ...after, bytes, model: b },
      { threads, batch: count, feeds, batches: data.evaluation(), rounds, seed, signal: console.signal },
    );
    const broken = brokenBounds(result, options);
    if (!console.json) showComparison(result, data.source, broken, console);
    const isSought = options.divergence !== undefined;
    const divergence = isSought ? await firstDivergence(a, b, feeds[0]!, options, console) : undefined;
    return { result: { ...result, data: data.source, broken, ...divergence }, ok: broken.length === 0 };
  },
});
