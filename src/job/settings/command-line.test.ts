import { expect, it } from "vitest";
import type { JobOptions } from "../accelerate/job-options.ts";
import { commandLine, commandOf } from "./command-line.ts";

const options = {
  data: "my data.npz",
  labels: "labels.txt",
  maxDrop: 0.01,
  goal: "size",
  budget: 60,
  ep: "cpu",
  threads: 2,
  seed: 7,
  checkEp: ["wasm"],
} as const satisfies JobOptions;

it("a job is told with every option that it has", () => {
  const words =
    "--data 'my data.npz' --labels labels.txt --max-drop 0.01 --goal size --budget 60s --ep cpu --threads 2";
  expect(commandLine("net.onnx", options)).toBe(`npx litheml accelerate net.onnx ${words} --check-ep wasm --seed 7`);
  expect(commandLine("net.onnx", { ...options, checkEp: [], weightBits: "7" })).toMatch(
    /--weight-bits 7 --check-ep none --seed 7$/,
  );
});

it("a command is told without where its result goes", () => {
  const flags = { topK: 2, symmetric: true, out: "o.onnx", dryRun: true, json: true, labels: undefined, data: "it's" };
  expect(commandOf("route", "a/net.onnx", flags)).toBe(
    "npx litheml route net.onnx --top-k 2 --symmetric --data 'it'\\''s'",
  );
});
