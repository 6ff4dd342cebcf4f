/** @file A command is one short file: what it declares, what it calls, what it shows. */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { commands } from "../../src/cli/commands.ts";
import { root } from "./sources.ts";

const table = readFileSync(`${root}src/cli/commands.ts`, "utf8");
const files = [...table.matchAll(/import\("\.\/([\w-]+\.ts)"\)/g)].map(([, name]) => name as string);

it("keeps every command within 60 lines", () => {
  expect(files.length).toBeGreaterThan(7);
  const long = files.filter((name) => readFileSync(`${root}src/cli/${name}`, "utf8").trimEnd().split("\n").length > 60);
  expect(long).toEqual([]);
});

it("tells of a command what its technique tells", async () => {
  for (const [name, { load, summary }] of Object.entries(commands)) {
    const { technique = { name, summary } } = await load();
    expect([technique.name, technique.summary]).toEqual([name, summary]);
  }
});

it("documents every command on a page of its own", () => {
  for (const name of files) {
    const page = readFileSync(`${root}docs/${name.replace(/\.ts$/, ".md")}`, "utf8");
    expect(page).toMatch(/^# `?lithe /);
  }
});
