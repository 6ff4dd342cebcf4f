/** @file A changed model against the file that it was made from. */

import type { Model } from "../../ir/index.ts";
import {
  type Comparison,
  type Contestant,
  compareSessions,
  dependsOnData,
  openReplicated,
  withMaskProbes,
} from "../../measure/index.ts";
import { encodedSize } from "../../onnx/index.ts";
import { openSession } from "../../runtime/index.ts";
import type { Console } from "../console.ts";
import { timedBatches } from "../data/load.ts";
import type { LoadedData } from "../data/loaded-data.ts";
import { fileBytes } from "../model/model-file.ts";
import type { RuntimeOptions } from "../settings/settings.ts";

/** Seconds of timing after which a model is known well enough; small ones are done long before. */
const TIMING = 4;

/** What a changed model is compared with. */
export interface Original extends Contestant, AsyncDisposable {
  readonly dependsOnData: boolean;
}

/** Both as an application that knows nothing of lithe runs them; agreement on all evaluation data, time on its first batch or, where the data decide on the work, over it. */
export async function compareWithOriginal(
  path: string,
  original: Model,
  model: Model,
  data: LoadedData,
  options: RuntimeOptions,
  console: Pick<Console, "signal">,
): Promise<Comparison> {
  await using before = await openOriginal(path, original, options);
  return await compareWith(before, model, data, options, console);
}

/** The original of a comparison, which from here on needs the model no more. Its data files may have any name, so that they are counted by what was read. */
export async function openOriginal(path: string, original: Model, { ep, threads }: RuntimeOptions): Promise<Original> {
  const bytes = Math.max(await fileBytes(path), encodedSize(original));
  const stock = { ep, threads, stock: true };
  return {
    ...(await openReplicated(openSession, original, bytes, stock)),
    bytes,
    dependsOnData: dependsOnData(original),
  };
}

export async function compareWith(
  before: Original,
  model: Model,
  data: LoadedData,
  { ep, threads, seed }: RuntimeOptions,
  { signal }: Pick<Console, "signal">,
): Promise<Comparison> {
  const { feeds, count } = await timedBatches(data, before.dependsOnData || dependsOnData(model));
  const bytes = encodedSize(model);
  await using after = await openReplicated(openSession, model, bytes, { ep, threads, stock: true });
  return await compareSessions(
    before,
    { ...after, bytes, model },
    { threads, batch: count, feeds, batches: withMaskProbes(data.evaluation()), seed, seconds: TIMING, signal },
  );
}
