/** @file A changed model against the file that it was made from. */
import type { Model } from "../ir/index.ts";
import { encodeModel } from "../onnx/index.ts";
import { type Comparison, compareSessions, openSession, withMaskProbes } from "../runtime/index.ts";
import type { Console } from "./command.ts";
import { firstBatch, type LoadedData } from "./load.ts";
import { fingerprint } from "./model-file.ts";
import type { RuntimeOptions } from "./options.ts";

/** Both as an application that knows nothing of lithe runs them; agreement on all evaluation data, time on its first batch. */
export async function compareWithOriginal(
  path: string,
  original: Model,
  model: Model,
  data: LoadedData,
  { ep, threads, seed }: RuntimeOptions,
  { signal }: Pick<Console, "signal">,
): Promise<Comparison> {
  const { feeds, count } = await firstBatch(data);
  await using a = await openSession(original, { ep, threads, stock: true });
  await using b = await openSession(model, { ep, threads, stock: true });
  return await compareSessions(
    { session: a, bytes: (await fingerprint(path)).bytes },
    { session: b, bytes: encodeModel(model).byteLength },
    { threads, batch: count, feeds, batches: withMaskProbes(data.evaluation()), seed, signal },
  );
}
