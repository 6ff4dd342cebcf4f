/** @file Checkpoints that no run can have written are refused by name, and stay as they were. */
import { createHash } from "node:crypto";
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { encodeSafetensors, readSafetensors } from "../src/data/index.ts";
import { FormatError, type LitheError, PathError, UsageError } from "../src/errors.ts";
import { floatsOf, type Tensor, tensorFromNumbers } from "../src/ir/index.ts";
import { type FitOptions, fit } from "../src/train/index.ts";
import { moons, network, options } from "./moons.ts";

let root = "";
let whole = "";

const settings = { epochs: 1, evaluate: { data: moons(8, 2) } };

async function trained(overrides: Partial<FitOptions>): Promise<void> {
  await fit(network(), { ...options(), ...settings, ...overrides }).result;
}

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "lithe-checkpoints-"));
  whole = join(root, "whole");
  await trained({ checkpoint: { folder: whole } });
});
afterAll(() => rm(root, { recursive: true }));

type Facts = Record<string, unknown> & { readonly state: string };

async function changedFacts(folder: string, change: (facts: Facts) => object): Promise<void> {
  const path = join(folder, "checkpoint.json");
  const facts = JSON.parse(await readFile(path, "utf8")) as Facts;
  await writeFile(path, JSON.stringify({ ...facts, ...change(facts) }));
}

/** Another state whose digest is right. */
async function changedState(folder: string, change: (tensors: Map<string, Tensor>) => void): Promise<void> {
  const { state } = JSON.parse(await readFile(join(folder, "checkpoint.json"), "utf8")) as Facts;
  const tensors = new Map(readSafetensors(await readFile(join(folder, state)), state).tensors);
  change(tensors);
  const bytes = encodeSafetensors(tensors);
  await writeFile(join(folder, state), bytes);
  await changedFacts(folder, () => ({ sha256: createHash("sha256").update(bytes).digest("hex") }));
}

const nan = (tensor: Tensor): Tensor =>
  tensorFromNumbers(
    tensor.dtype,
    tensor.dims,
    floatsOf(tensor).map(() => Number.NaN),
  );

const facts = (change: object) => (folder: string) => changedFacts(folder, () => change);

it.each<[string, (folder: string) => Promise<void>, RegExp, typeof LitheError]>([
  ["a step beyond the run", facts({ step: 1e15 }), /a step up to 5; got 1000000000000000/, FormatError],
  ["a step below 0", facts({ step: -1 }), /malformed; got step/, FormatError],
  ["half a step", facts({ step: 0.5 }), /malformed; got step/, FormatError],
  ["a step that is no number", facts({ step: null }), /malformed; got step/, FormatError],
  ["the state of another step", facts({ step: 4 }), /the state of step 4/, FormatError],
  ["another version", facts({ version: 2 }), /another version; expected version 1; got 2/, FormatError],
  ["no version", facts({ version: undefined }), /another version/, FormatError],
  ["a best that was never evaluated", facts({ best: 7 }), /number 7/, FormatError],
  [
    "an evaluation of the future",
    facts({ evaluations: [{ epoch: 9, update: 99, metrics: {} }] }),
    /one after update 99/,
    FormatError,
  ],
  ["a path as its state", facts({ state: "../state-5.safetensors" }), /malformed; got state/, FormatError],
  ["nothing in its file", (folder) => writeFile(join(folder, "checkpoint.json"), ""), /an empty file/, FormatError],
  ["no facts", (folder) => rm(join(folder, "checkpoint.json")), /checkpoint\.json/, FormatError],
  ["no state", (folder) => rm(join(folder, "state-5.safetensors")), /no such file.*state-5/, PathError],
  ["an empty state", (folder) => writeFile(join(folder, "state-5.safetensors"), ""), /state is damaged/, FormatError],
  [
    "no state of the optimizer",
    (folder) => changedState(folder, (all) => void all.delete([...all.keys()].find((key) => /w1:/.test(key))!)),
    /lacks the state "w1:/,
    FormatError,
  ],
  [
    "a state of other dims",
    (folder) => changedState(folder, (all) => void all.set("w1", tensorFromNumbers("float32", [4], [1, 2, 3, 4]))),
    /"w1" has another form; expected float32\[2, 16\]; got float32\[4\]/,
    FormatError,
  ],
  [
    "a state that the run does not have",
    (folder) => changedState(folder, (all) => void all.set("other", tensorFromNumbers("float32", [1], [1]))),
    /does not have; got "other"/,
    FormatError,
  ],
  [
    "parameters that are not finite",
    (folder) => changedState(folder, (all) => void all.set("w2", nan(all.get("w2")!))),
    /not finite; got NaN in "w2"/,
    FormatError,
  ],
  ["another run", facts({ fingerprint: "0" }), /another model, data or settings/, UsageError],
])("refuses %s", async (_, change, message, error) => {
  const folder = await mkdtemp(join(root, "changed-"));
  await cp(whole, folder, { recursive: true });
  await change(folder);
  const before = await contentsOf(folder);
  const resumed = trained({ checkpoint: { folder }, resume: true });
  await expect(resumed).rejects.toThrow(message);
  await expect(resumed).rejects.toBeInstanceOf(error);
  expect(await contentsOf(folder)).toEqual(before);
});

it("refuses to go on without the best parameters that will be handed out", async () => {
  const folder = await mkdtemp(join(root, "best-"));
  await cp(whole, folder, { recursive: true });
  await rm(join(folder, "best.safetensors"));
  const checkpoint = { folder };
  await expect(trained({ checkpoint, resume: true, restoreBest: true })).rejects.toThrow(/no such file.*best/);
});

it("lets one run at a time into the folder", async () => {
  const checkpoint = { folder: join(root, "shared") };
  const both = await Promise.allSettled([trained({ checkpoint }), trained({ checkpoint })]);
  expect(both.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
  expect(String(both.find((result) => result.status === "rejected")?.reason)).toMatch(/another run works/);
});

async function contentsOf(folder: string): Promise<(readonly [string, string])[]> {
  const names = (await readdir(folder)).sort();
  return Promise.all(names.map(async (name) => [name, await readFile(join(folder, name), "base64")] as const));
}
