import { expect, it } from "vitest";
import * as z from "zod";
import { flag, setting, text, whole } from "../../settings/index.ts";
import { formSettings } from "../accelerate/job-options.ts";
import { commandLine, decidingSettings } from "./command-line.ts";

const options = formSettings.parse({
  data: "my data.npz",
  labels: "labels.txt",
  goal: "size",
  budget: 60,
  threads: 2,
  seed: 7,
});

it("a job is told with every setting that it has", () => {
  const line = (changes: object) => commandLine("accelerate", ["net.onnx"], formSettings, { ...options, ...changes });
  const words =
    "--ep cpu --threads 2 --seed 7 --data 'my data.npz' --labels labels.txt --max-drop 0.01 --allow-error 0.5 --goal size --budget 60s";
  expect(line({})).toBe(`npx litheml accelerate net.onnx ${words} --weight-bits auto --check-ep wasm`);
  expect(line({ checkEp: [], weightBits: 7 })).toMatch(/--weight-bits 7 --check-ep none$/);
});

it("a command is told without where its result goes", () => {
  const settings = z.strictObject({
    topK: setting("--top-k <k>", "experts", whole(1)),
    symmetric: setting("--symmetric", "no zero points", flag()),
    out: setting("-o, --out <file>", "a file", text(), { role: "place" }),
    budget: setting("--budget <n>", "time", whole(1), { role: "pace" }),
    labels: setting("--labels <file>", "a file", text().exactOptional()),
    data: setting("--data <path>", "a file", text()),
  });
  const values = { topK: 2, symmetric: true, out: "o.onnx", budget: 3, data: "it's" };
  expect(commandLine("route", ["a/net.onnx"], settings, values)).toBe(
    "npx litheml route a/net.onnx --top-k 2 --symmetric --budget 3 --data 'it'\\''s'",
  );
  expect(commandLine("route", [], settings, { ...values, symmetric: false })).not.toContain("--symmetric");
  expect(decidingSettings(settings, values)).toEqual({ topK: 2, symmetric: true, data: "it's" });
});
