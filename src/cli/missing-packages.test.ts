import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { DataError, MissingPackageError } from "../errors.ts";
import { withAllPackages } from "./missing-packages.ts";

const installed = vi.hoisted(() => new Set<string>());
vi.mock("../job/packages.ts", async (original) => ({
  ...(await original<object>()),
  isInstalled: (name: string) => installed.has(name),
}));

const folder = mkdtempSync(join(tmpdir(), "lithe-packages-"));
beforeAll(() => {
  for (const name of ["pictures/a", "tables"]) mkdirSync(join(folder, name), { recursive: true });
  writeFileSync(join(folder, "pictures", "a", "1.JPG"), "");
  writeFileSync(join(folder, "tables", "train.csv"), "");
});
afterAll(() => rmSync(folder, { recursive: true }));

const lacks = (got: string, settings: Readonly<Record<string, unknown>>) =>
  withAllPackages(new MissingPackageError("an optional package is missing", { got }), { settings });

it("one message names all that the command will ask for", async () => {
  const pictures = join(folder, "pictures");
  expect(await lacks("onnxruntime-node", { data: pictures, ep: "cpu", checkEp: ["wasm"] })).toMatchObject({
    hint: expect.stringContaining("npm i onnxruntime-node onnxruntime-web sharp "),
  });
  expect(await lacks("sharp", { data: pictures, ep: "wasm" })).toMatchObject({
    hint: expect.stringContaining("npm i sharp onnxruntime-web "),
  });
  expect(await lacks("onnxruntime-node", { data: join(folder, "tables") })).toMatchObject({
    hint: expect.stringContaining("npm i onnxruntime-node "),
  });
  installed.add("sharp");
  expect(await lacks("onnxruntime-node", { data: pictures })).toMatchObject({
    hint: expect.stringContaining("npm i onnxruntime-node "),
  });
});

it("other errors stay what they are", async () => {
  const error = new DataError("no data");
  expect(await withAllPackages(error, { settings: {} })).toBe(error);
});
