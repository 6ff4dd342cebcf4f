/** @file An imported model made ready for techniques that look for structure. */
import { evaluateWith } from "../accelerate/index.ts";
import type { Model } from "../ir/index.ts";
import { eliminateIdentity, foldConstants, freezeInitializers, upgradeOpset } from "../passes/index.ts";
import { sequential } from "../rewrite/index.ts";
import { openSession } from "../runtime/index.ts";

/** The model in lithe's opset, its shape arithmetic computed, so that equal blocks look equal. */
export async function readied(model: Model): Promise<Model> {
  const evaluate = evaluateWith(openSession);
  const passes = [upgradeOpset(), freezeInitializers(), foldConstants({ evaluate }), eliminateIdentity()];
  return (await sequential("ready", passes).run(model)).model;
}
