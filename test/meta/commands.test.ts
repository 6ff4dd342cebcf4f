/** @file A command is one short file: what it declares, what it calls, what it shows. */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { cleanTechnique } from "../../src/accelerate/index.ts";
import { commands } from "../../src/cli/commands.ts";
import { cascadeTechnique, exitsTechnique, routeTechnique } from "../../src/conditional/index.ts";
import { parallelizeTechnique } from "../../src/parallel/index.ts";
import { metaPruneTechnique, pruneTechnique } from "../../src/prune/index.ts";
import { quantizeTechnique } from "../../src/quantize/index.ts";
import { root } from "./sources.ts";

const table = readFileSync(`${root}src/cli/commands.ts`, "utf8");
const files = [...table.matchAll(/import\("\.\/([\w-]+\.ts)"\)/g)].map(([, name]) => name as string);

it("keeps every command within 60 lines", () => {
  expect(files.length).toBeGreaterThan(7);
  const long = files.filter((name) => readFileSync(`${root}src/cli/${name}`, "utf8").trimEnd().split("\n").length > 60);
  expect(long).toEqual([]);
});

it.each([
  ["quantize", quantizeTechnique],
  ["clean", cleanTechnique],
  ["prune", pruneTechnique],
  ["metaprune", metaPruneTechnique],
  ["route", routeTechnique],
  ["exits", exitsTechnique],
  ["cascade", cascadeTechnique],
  ["parallelize", parallelizeTechnique],
] as const)("tells of %s what its technique tells", (name, technique) => {
  expect([technique.name, technique.summary]).toEqual([name, commands[name]!.summary]);
});

it("documents every command on a page of its own", () => {
  for (const name of files) {
    const page = readFileSync(`${root}docs/${name.replace(/\.ts$/, ".md")}`, "utf8");
    expect(page).toMatch(/^# `?lithe /);
  }
});
