/** @file A changed model against the file that it was made from. */
import type { Model } from "../ir/index.ts";
import { encodedSize } from "../onnx/index.ts";
import { type Comparison, type Contestant, compareSessions, openSession, withMaskProbes } from "../runtime/index.ts";
import type { Console } from "./command.ts";
import { firstBatch, type LoadedData } from "./load.ts";
import { fileBytes } from "./model-file.ts";
import type { RuntimeOptions } from "./options.ts";

/** Seconds of timing after which a model is known well enough; small ones are done long before. */
const TIMING = 4;

/** Both as an application that knows nothing of lithe runs them; agreement on all evaluation data, time on its first batch. */
export async function compareWithOriginal(
  path: string,
  original: Model,
  model: Model,
  data: LoadedData,
  options: RuntimeOptions,
  console: Pick<Console, "signal">,
): Promise<Comparison> {
  const before = await openOriginal(path, original, options);
  await using _session = before.session;
  return await compareWith(before, model, data, options, console);
}

/** The original of a comparison, which from here on needs the model no more. Its data files may have any name, so that they are counted by what was read. */
export async function openOriginal(
  path: string,
  original: Model,
  { ep, threads }: RuntimeOptions,
): Promise<Contestant> {
  const bytes = Math.max(await fileBytes(path), encodedSize(original));
  return { session: await openSession(original, { ep, threads, stock: true }), bytes };
}

export async function compareWith(
  before: Contestant,
  model: Model,
  data: LoadedData,
  { ep, threads, seed }: RuntimeOptions,
  { signal }: Pick<Console, "signal">,
): Promise<Comparison> {
  const { feeds, count } = await firstBatch(data);
  await using session = await openSession(model, { ep, threads, stock: true });
  return await compareSessions(
    before,
    { session, bytes: encodedSize(model), model },
    { threads, batch: count, feeds, batches: withMaskProbes(data.evaluation()), seed, seconds: TIMING, signal },
  );
}
