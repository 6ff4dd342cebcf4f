import { writeFile } from "node:fs/promises";
import { expect, it } from "vitest";
import { useOwnCache } from "../../../test/own-cache.ts";
import type { FormTable } from "../../quantize/index.ts";
import { keepFormTable, knownFormTable } from "./form-cache.ts";

useOwnCache();

const table = { ep: "cpu", threads: 1, entries: [] } as unknown as FormTable;

it("gives the table back for its provider and threads only", async () => {
  expect(await knownFormTable("cpu", 1)).toBeUndefined();
  await keepFormTable(table);
  expect(await knownFormTable("cpu", 1)).toEqual(table);
  expect(await knownFormTable("cpu", 2)).toBeUndefined();
  expect(await knownFormTable("wasm", 1)).toBeUndefined();
});

it.each(["", "{", "null", "[]", `{"ep":"cpu","threads":1,"entries":3}`, `{"ep":"cpu","threads":1,"entries":[null]}`])(
  "takes a damaged file for none: %s",
  async (text) => {
    await writeFile(await keepFormTable(table), text);
    expect(await knownFormTable("cpu", 1)).toBeUndefined();
  },
);
