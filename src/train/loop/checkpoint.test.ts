import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { network } from "../../../test/moons.ts";
import { floatsOf, type Tensor, tensorFromNumbers } from "../../ir/index.ts";
import { trainingStep } from "../step/training-step.ts";
import { loadCheckpoint, saveCheckpoint } from "./checkpoint.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "litheml-checkpoint-"));
});
afterAll(() => rm(folder, { recursive: true }));

const step = trainingStep(network(), { loss: "crossEntropy", optimizer: "adamw" });

/** A state that was written and read again, with infinity throughout one of its tensors. */
async function readAgain(name: string): Promise<ReadonlyMap<string, Tensor> | undefined> {
  const state = new Map(step.state.map(({ name: own, initial }) => [own, initial]));
  const infinite = floatsOf(state.get(name)!).map(() => Number.POSITIVE_INFINITY);
  state.set(name, tensorFromNumbers("float32", state.get(name)!.dims, infinite));
  await saveCheckpoint(folder, "run", { step: 3, evaluations: [], best: undefined, algorithms: new Map() }, state);
  const resumed = { fingerprint: "run", step, steps: 5, algorithms: [] };
  return (await loadCheckpoint(folder, resumed))?.state;
}

it("lets an optimizer go on with an overflow in its moments, and no parameter", async () => {
  const state = await readAgain("w1:square");
  expect(new Set(floatsOf(state!.get("w1:square")!))).toEqual(new Set([Number.POSITIVE_INFINITY]));
  expect(floatsOf(state!.get("w1")!)).toEqual(floatsOf(step.state.find(({ name }) => name === "w1")!.initial));
  await expect(readAgain("w1")).rejects.toThrow(/not finite; got Infinity in "w1"/);
});
