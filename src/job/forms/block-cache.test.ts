import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { measureKernelBlocks } from "../../measure/index.ts";
import { keep, kernelBlocksOf, knownKernelBlocks } from "./block-cache.ts";

vi.mock("../../measure/index.ts", async (original) => ({
  ...(await original<object>()),
  measureKernelBlocks: vi.fn(),
}));

const before = process.env.XDG_CACHE_HOME;
let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "lithe-"));
  process.env.XDG_CACHE_HOME = folder;
});
afterEach(async () => {
  if (before === undefined) delete process.env.XDG_CACHE_HOME;
  else process.env.XDG_CACHE_HOME = before;
  await rm(folder, { recursive: true });
});

const blocks = { convolution: 16, product: 8 };
const table = { ep: "cpu", threads: 1, blocks, rows: [] } as const;
const console = { signal: new AbortController().signal, progress: () => undefined, say: () => undefined };

it("measures once for a provider and threads", async () => {
  vi.mocked(measureKernelBlocks).mockResolvedValue(table);
  expect(await kernelBlocksOf("cpu", 1, console)).toEqual(blocks);
  expect(await kernelBlocksOf("cpu", 1, console)).toEqual(blocks);
  expect(measureKernelBlocks).toHaveBeenCalledTimes(1);
  expect(await knownKernelBlocks("cpu", 2)).toBeUndefined();
  expect(await knownKernelBlocks("wasm", 1)).toBeUndefined();
});

it.each([
  "",
  "{",
  "null",
  `{"ep":"cpu","threads":1,"blocks":{"convolution":0,"product":8}}`,
  `{"ep":"cpu","threads":1}`,
])("takes a damaged file for none: %s", async (text) => {
  await writeFile(await keep(table), text);
  expect(await knownKernelBlocks("cpu", 1)).toBeUndefined();
});
