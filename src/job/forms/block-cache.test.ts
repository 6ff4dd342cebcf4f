import { writeFile } from "node:fs/promises";
import { expect, it, vi } from "vitest";
import { useOwnCache } from "../../../test/own-cache.ts";
import { measureKernelBlocks } from "../../measure/index.ts";
import { openSession } from "../../runtime/index.ts";
import { keep, kernelBlocksOf, knownKernelBlocks } from "./block-cache.ts";

vi.mock("../../measure/index.ts", async (original) => ({
  ...(await original<object>()),
  measureKernelBlocks: vi.fn(),
}));

useOwnCache();

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

it("measures the build of browsers where a network is to run in one", async () => {
  const own = { ...table, ep: "wasm", blocks: { convolution: 4, product: 4 } } as const;
  vi.mocked(measureKernelBlocks).mockResolvedValue(own);
  expect(await kernelBlocksOf("wasm", 1, console)).toEqual(own.blocks);
  expect(measureKernelBlocks).toHaveBeenLastCalledWith(
    openSession,
    expect.objectContaining({ ep: "wasm", threads: 1 }),
  );
  expect(await knownKernelBlocks("cpu", 1)).toBeUndefined();
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
