/** @file Recordings of two trees beside each other: what differs is named and shown, what one has alone is listed. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { compareRecordings } from "../../scripts/replay/against.ts";
import { startRecording, type Texts } from "../../scripts/replay/recording.ts";
import { graphBuilder, model, tensorFromNumbers } from "../../src/ir/index.ts";
import { bytesOf, structureOf } from "./replay/telling.ts";

const home = mkdtempSync(join(tmpdir(), "lithe-recordings-"));
afterAll(() => rmSync(home, { recursive: true }));

/** Adds a weight of these values, and a step of this size. */
function weighted(name: string, values: readonly number[], step = 0.125): Texts {
  const g = graphBuilder();
  const sum = g.op("Add", [g.input("x", "float32", [5]), g.constant(name, tensorFromNumbers("float32", [5], values))]);
  g.output(g.op("Mul", [sum, g.constant("step", tensorFromNumbers("float32", [], [step]))]), "y");
  const made = { model: model(g.build()), share: 0.1 + values[0]! / 1e9 };
  return { structure: structureOf(made), bytes: bytesOf(made) };
}

function recorded(name: string, cases: Readonly<Record<string, Texts>>): string {
  const recording = startRecording(join(home, name));
  for (const [key, texts] of Object.entries(cases)) recording.add(key, texts);
  recording.end();
  return join(home, name);
}

it("tells structure from bytes, and shows the lines", () => {
  const values = [1, 2, 3, 4, 5];
  const there = recorded("there", {
    old: weighted("w", values),
    same: weighted("w", values),
    moved: weighted("w", values),
    renamed: weighted("w", values),
    rescaled: weighted("w", values),
  });
  const here = recorded("here", {
    same: weighted("w", values),
    moved: weighted("w", [2, 2, 3, 4, 5]),
    renamed: weighted("v", values),
    rescaled: weighted("w", values, 0.12501),
    new: weighted("w", values),
  });
  const { compared, differences, onlyHere, onlyThere } = compareRecordings(here, there);
  expect([compared, onlyHere, onlyThere]).toEqual([4, ["new"], ["old"]]);
  expect(differences.map(({ name, structure, bytes }) => [name, structure, bytes])).toEqual([
    ["moved", false, true],
    ["renamed", true, true],
    ["rescaled", true, true],
  ]);
  expect(differences[0]!.diff).toMatch(/-.*float\[5\] w = .*\n\+.*float\[5\] w = /);
  expect(differences[1]!.diff).toMatch(/-.*float\[5\] w = [\s\S]*\+.*float\[5\] v = /);
  expect(differences[2]!.diff).toMatch(/-.*step = \{0.125\}[\s\S]*\+.*step = \{0.12501\}/);
});
