import { expect, it } from "vitest";
import type { Inspection } from "../job/model/inspection.ts";
import type { MeasuredWork } from "../job/model/measured-work.ts";
import { showInspection } from "./inspect-text.ts";

const facts = {
  sha256: "0123456789abcdef0123",
  bytes: 2048,
  opset: 17,
  producer: "",
  nodes: 3,
  parameters: 12,
  work: { least: 40, most: 40, unboundedNodes: 0, loops: [] },
  inputs: [{ name: "x", type: "float32[n, 4]" }],
  outputs: [{ name: "y", type: "float32[n, 2]" }],
  operators: [
    { opType: "Gemm", nodes: 1, parameters: 12, macs: 40 },
    { opType: "Relu", nodes: 2, parameters: 0, macs: 0 },
  ],
  layers: [{ name: "head", opType: "Gemm", parameters: 12, macs: null, weightBytes: 48 }],
  problems: [],
} as unknown as Inspection;

function shown(changes: object = {}, measured?: MeasuredWork, layers = false): string[] {
  const said: string[] = [];
  showInspection({ ...facts, ...changes }, measured, layers, {
    json: false,
    signal: new AbortController().signal,
    say: (line) => void said.push(line),
    progress: () => undefined,
  });
  return said;
}

it("tells size, work, inputs, outputs and operators", () => {
  expect(shown()).toEqual([
    "2.0 KiB, opset 17, 3 nodes, made by an unnamed tool",
    "12 parameters, 40 multiply-accumulates, sha256 0123456789abcdef…",
    "input  x: float32[n, 4]",
    "output y: float32[n, 2]",
    "",
    "operator  nodes  parameters  MACs",
    "Gemm          1          12    40",
    "Relu          2           0     0",
  ]);
});

it("names the tool, the layers, and what is wrong", () => {
  const said = shown({ producer: "pytorch 2.4", problems: [{ where: "node", message: "no type" }] }, undefined, true);
  expect(said[0]).toMatch(/made by pytorch 2\.4$/);
  expect(said.slice(-4)).toEqual([
    "",
    "layer  operator  parameters  MACs",
    "head   Gemm              12  ?",
    "problem: node: no type",
  ]);
});

it("tells bounds of work, loops, and what is not known", () => {
  const loops = [{ name: "scan", least: 5, most: null }];
  const said = shown({ work: { least: 30, most: 40, unboundedNodes: 2, loops } });
  expect(said[1]).toContain("30 to 40 multiply-accumulates");
  expect(said[2]).toMatch(/^loop scan: 5 or more multiply-accumulates per iteration/);
  expect(said[3]).toBe("The cost of 2 nodes is not known; give symbolic dims with --dims.");
});

it("tells the work that was counted", () => {
  const measured = { mean: 20.4, least: 20, most: 20, runs: 3, samples: 6, uncountedNodes: 0 };
  expect(shown({}, measured)[2]).toBe("20 multiply-accumulates a run on average, in every one: 3 runs, 6 samples");
  const said = shown({}, { ...measured, most: 30, uncountedNodes: 1 });
  expect(said[2]).toContain("from 20 to 30");
  expect(said[3]).toMatch(/^The work of 1 nodes could not be counted/);
});
