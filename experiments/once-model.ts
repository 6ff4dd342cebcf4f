/** @file Models that an experiment makes once. */
import type { Model } from "../src/ir/index.ts";
import { decodeModel, encodeModel } from "../src/onnx/index.ts";
import type { ExperimentContext } from "./experiment.ts";

/** A model that is made once, kept as base64. */
export async function onceModel(
  once: ExperimentContext["once"],
  key: string,
  work: () => Promise<Model>,
): Promise<Model> {
  const text = await once(key, async () => Buffer.from(encodeModel(await work())).toString("base64"));
  return decodeModel(new Uint8Array(Buffer.from(text, "base64")));
}
