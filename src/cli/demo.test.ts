import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { runJob } from "../job/accelerate/job.ts";
import { trainDemo } from "../job/training/demo-training.ts";
import { parseArguments } from "./arguments.ts";
import { command } from "./demo.ts";

vi.mock("../job/accelerate/job.ts", () => ({ runJob: vi.fn(async () => ({ result: { faster: true } })) }));
vi.mock("../job/training/demo-training.ts", () => ({
  trainDemo: vi.fn(async () => ({ file: "glyphs.onnx", page: "report.html", training: { epochs: 2 } })),
}));

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lithe-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function demo(...words: readonly string[]) {
  const said: string[] = [];
  const { settings } = parseArguments("demo", "", command, ["-o", folder, ...words])!;
  const { result } = await command.run([], settings, {
    json: false,
    signal: new AbortController().signal,
    say: (line) => void said.push(line),
    progress: () => undefined,
  });
  return { said, result, trained: vi.mocked(trainDemo).mock.lastCall!, accelerated: vi.mocked(runJob).mock.lastCall! };
}

it("trains, then accelerates what was trained, and says where it is", async () => {
  const { said, result, trained, accelerated } = await demo();
  const again = "npx litheml demo --budget 75s --threads 1 --seed 1";
  expect(trained.slice(0, 2)).toEqual([expect.objectContaining({ out: folder, threads: 1, seed: 1 }), again]);
  expect(accelerated.slice(0, 2)).toEqual([
    { path: "glyphs.onnx", title: "lithe demo: ten drawn glyphs", out: folder, command: again },
    {
      ep: "cpu",
      data: "demo",
      calibrationSamples: 128,
      evalSamples: 1000,
      maxDrop: 0.01,
      goal: "balanced",
      checkEp: ["wasm"],
      allowError: 0.5,
      weightBits: "auto",
      threads: 1,
      seed: 1,
      budget: 75,
      resume: false,
    },
  ]);
  expect(said.map((line) => line.slice(0, 2))).toEqual(["1.", "re", "", "2."]);
  expect(result).toEqual({ training: { report: "report.html", epochs: 2 }, faster: true });
});

it("goes on with what was interrupted when it is told to", async () => {
  const { trained, accelerated } = await demo("--resume", "--budget", "9s");
  expect([trained[0].resume, accelerated[1].resume, accelerated[1].budget]).toEqual([true, true, 9]);
});
