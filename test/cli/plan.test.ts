/** @file `lithe plan`: plans for a cluster of a file, and what it refuses before any work. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { random } from "../../src/data/index.ts";
import { vit } from "../../src/models/index.ts";
import { saveModel } from "../../src/onnx/files.ts";
import { lithe, litheJson } from "./run.ts";

const folder = mkdtempSync(join(tmpdir(), "lithe-plan-"));
const at = (name: string) => join(folder, name);
const link = { latencyMicroseconds: 20, gigabytesPerSecond: 1 };
const cluster = (memoryGigabytes: number) => ({
  hosts: [{ devices: 4, memoryGigabytes }],
  inside: link,
  between: link,
});
const rates = { gigaMacsPerSecond: 20, gigaElementsPerSecond: 1 };

beforeAll(async () => {
  const model = vit(random(1), { size: 16, patch: 4, width: 32, heads: 2, depth: 4, classes: 4 });
  await saveModel(at("model.onnx"), model);
  writeFileSync(at("cluster.json"), JSON.stringify({ ...cluster(1), rates }));
  writeFileSync(at("small.json"), JSON.stringify({ ...cluster(1e-6), rates }));
  writeFileSync(at("unknown.json"), JSON.stringify(cluster(1)));
  writeFileSync(at("broken.json"), "{");
});
afterAll(() => rmSync(folder, { recursive: true }));

it("tells plans with what limits each, as text and as JSON", async () => {
  const text = await lithe(["plan", at("model.onnx"), "--cluster", at("cluster.json")]);
  expect([text.code, text.stderr]).toEqual([0, ""]);
  expect(text.stdout).toMatch(/ms an update/);
  expect(text.stdout).toMatch(/limited by (computing|waiting|messages)/);
  const { code, json } = await litheJson(["plan", at("model.onnx"), "--cluster", at("cluster.json"), "--batch", "64"]);
  expect(code).toBe(0);
  expect(json).toMatchObject({ measured: false, rates, tooLarge: 0 });
  const plans: readonly { readonly step: number; readonly samplesPerSecond: number }[] = json.plans!;
  expect(plans[0]!.samplesPerSecond * plans[0]!.step).toBeCloseTo(64_000, 3);
});

it("measures rates that the file does not state", async () => {
  const { code, json } = await litheJson(["plan", at("model.onnx"), "--cluster", at("unknown.json"), "--measure"]);
  expect([code, json.measured]).toEqual([0, true]);
  const measured: { readonly gigaMacsPerSecond: number } = json.rates!;
  expect(measured.gigaMacsPerSecond).toBeGreaterThan(0);
});

it.each([
  ["small.json", "GB on a device"],
  ["unknown.json", "rates of the cluster, or measured ones"],
  ["broken.json", "not JSON"],
  ["absent.json", "cannot be read"],
])("refuses %s", async (file, said) => {
  const { code, stderr } = await lithe(["plan", at("model.onnx"), "--cluster", at(file)]);
  expect([code === 0, stderr]).toEqual([false, expect.stringContaining(said)]);
});
