/** @file An imported model made ready for techniques that look for structure. */
import type { Model } from "../ir/index.ts";
import { eliminateIdentity, foldConstants, freezeInitializers, upgradeOpset } from "../passes/index.ts";
import { type Evaluate, sequential } from "../rewrite/index.ts";

/** The model in lithe's opset, its shape arithmetic computed, so that equal blocks look equal. */
export async function readied(model: Model, evaluate: Evaluate): Promise<Model> {
  const passes = [upgradeOpset(), freezeInitializers(), foldConstants({ evaluate }), eliminateIdentity()];
  return (await sequential("ready", passes).run(model)).model;
}
