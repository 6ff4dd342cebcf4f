/** @file An imported model made ready for techniques: passes that do no more than round, held to that on the data. */

import { cleanupChecked, evaluateWith, type LeftOut, type Pipeline, runChecked } from "../../accelerate/index.ts";
import { type Model, storedWeights } from "../../ir/index.ts";
import { eliminateIdentity, foldConstants, freezeInitializers, upgradeOpset } from "../../passes/index.ts";
import { sequential } from "../../rewrite/index.ts";
import { openSession, type Session } from "../../runtime/index.ts";
import type { Console } from "../console.ts";
import type { LoadedData } from "../data/loaded-data.ts";
import type { RuntimeOptions } from "../settings/settings.ts";

type Provider = Pick<RuntimeOptions, "ep" | "threads">;
type Data = Pick<LoadedData, "evaluation">;

/** The model in lithe's opset, its shape arithmetic computed, so that equal blocks look equal; held to a session of the original. */
export async function readied(
  model: Model,
  original: Session,
  data: Data,
  options: Provider,
  console: Console,
): Promise<Model> {
  const evaluate = evaluateWith(openSession);
  const passes = [upgradeOpset(), freezeInitializers(), foldConstants({ evaluate }), eliminateIdentity()];
  const pipeline: Pipeline = (each) => sequential("ready", passes.map(each));
  const { model: ready, leftOut } = await runChecked(model, pipeline, {
    ...checking(data, options, console),
    original,
  });
  return told(ready, leftOut, console);
}

/** The model in lithe's opset with its weights where training finds them. */
export async function trainable(model: Model, data: Data, options: Provider, console: Console): Promise<Model> {
  const passes = [upgradeOpset(), freezeInitializers()];
  const pipeline: Pipeline = (each) => sequential("trainable", passes.map(each));
  const { model: ready, leftOut } = await runChecked(model, pipeline, checking(data, options, console));
  return storedWeights(told(ready, leftOut, console));
}

/** The model without what it does not need, held to a session of the original. */
export async function cleaned(
  model: Model,
  original: Session,
  data: Data,
  options: Provider,
  console: Console,
): Promise<Model> {
  const { model: clean, leftOut } = await cleanupChecked(model, { ...checking(data, options, console), original });
  return told(clean, leftOut, console);
}

function checking({ evaluation }: Data, { ep, threads }: Provider, { signal }: Console) {
  return { open: openSession, session: { ep, threads, stock: true }, batches: evaluation, signal };
}

function told(model: Model, leftOut: readonly LeftOut[], { say }: Console): Model {
  for (const { pass, reason } of leftOut) say(`W_CLEANUP: the pass ${JSON.stringify(pass)} is left out: ${reason}`);
  return model;
}
