import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { readConfig } from "./training-config.ts";

let path = "";
let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "lithe-"));
  path = join(folder, "training.json");
});
afterEach(() => rm(folder, { recursive: true }));

const written = (config: object) => writeFile(path, JSON.stringify({ model: "mlp", data: "d.npz", ...config }));

it("flags go before what the file says, and what neither says is as usual", async () => {
  await written({ epochs: 3, seed: 5 });
  expect(await readConfig(path, { epochs: 7, seed: undefined })).toMatchObject({
    epochs: 7,
    seed: 5,
    learningRate: 1e-3,
    validation: 0.1,
    stepsPerRun: 1,
    measureForms: false,
  });
});

it("what is wrong in a file is told with its name", async () => {
  await written({ epoch: 3 });
  await expect(readConfig(path, {})).rejects.toThrow(/no such setting.*got "epoch"; at .*training\.json$/);
  await written({ lora: { rank: 0 } });
  await expect(readConfig(path, {})).rejects.toThrow(/at .*training\.json\.lora\.rank$/);
  await writeFile(path, "[]");
  await expect(readConfig(path, {})).rejects.toThrow(/no JSON object; at .*training\.json$/);
});

it("float16 scales its loss, unless it is told how", async () => {
  await written({ precision: "float16" });
  expect((await readConfig(path, {})).lossScale).toEqual({});
  await written({ precision: "float16", lossScale: { initial: 8 } });
  expect((await readConfig(path, {})).lossScale).toEqual({ initial: 8 });
  await written({});
  expect((await readConfig(path, {})).lossScale).toBeUndefined();
});

it("adapters go with frozen statistics and no other weights", async () => {
  const lora = { rank: 2 };
  await written({ lora, trainable: ["head*"] });
  await expect(readConfig(path, {})).rejects.toThrow(/adapters and the new head are what is trained/);
  await written({ lora, batchNorm: "train" });
  await expect(readConfig(path, {})).rejects.toThrow(/frozen batch statistics/);
  await written({ lora, batchNorm: "frozen", keepAdapters: "a.safetensors" });
  expect((await readConfig(path, {})).lora).toEqual(lora);
  await written({ keepAdapters: "a.safetensors" });
  await expect(readConfig(path, {})).rejects.toThrow(/keepAdapters needs lora/);
});
