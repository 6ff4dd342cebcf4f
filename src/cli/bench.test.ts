import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { denseModel } from "../../test/models.ts";
import { benchmark, profileNodes } from "../measure/index.ts";
import { encodeModel } from "../onnx/index.ts";
import { parseArguments } from "./arguments.ts";
import { command as bench } from "./bench.ts";
import type { CommandModule } from "./command.ts";
import { command as compare } from "./compare.ts";

vi.mock("../measure/index.ts", async (original) => ({
  ...(await original<object>()),
  benchmark: vi.fn(),
  profileNodes: vi.fn(),
}));

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lithe-"));
  await writeFile(join(folder, "a.onnx"), encodeModel(denseModel()));
  await writeFile(join(folder, "b.onnx"), encodeModel(denseModel(2)));
});
afterAll(() => rm(folder, { recursive: true }));

async function run(module: CommandModule, words: readonly string[], json = false) {
  const said: string[] = [];
  const placed = words.map((word) => (word.endsWith(".onnx") ? join(folder, word) : word));
  const { operands, settings } = parseArguments("a", "", module, placed)!;
  const outcome = await module.run(operands, settings, {
    json,
    signal: new AbortController().signal,
    say: (line) => void said.push(line),
    progress: () => undefined,
  });
  return { said: said.filter((line) => !line.startsWith("assumed")), outcome };
}

const times = { p50: 2, p95: 3, min: 1, throughput: 500, firstRun: 4, loadTime: 5, rounds: 9 };
const node = { name: "product", opType: "MatMul", provider: "cpu", micros: 30, calls: 10 };

describe("a benchmark", () => {
  it("tells times, and over how many inputs where there are several", async () => {
    vi.mocked(benchmark).mockResolvedValue({ ...times, inputs: 1 } as Awaited<ReturnType<typeof benchmark>>);
    const { said } = await run(bench, ["a.onnx"]);
    expect(said).toEqual([
      "cpu, 1 thread, batch 1, random inputs, 9 runs",
      "p50 2.00 ms, p95 3.00 ms, min 1.00 ms, 500.0 samples/s",
      "loading 5.00 ms, first run 4.00 ms",
    ]);
    expect(profileNodes).not.toHaveBeenCalled();
    vi.mocked(benchmark).mockResolvedValue({ ...times, inputs: 3 } as Awaited<ReturnType<typeof benchmark>>);
    expect((await run(bench, ["a.onnx"])).said[0]).toMatch(/9 runs, 3 inputs in turn$/);
    expect((await run(bench, ["a.onnx"], true)).said).toEqual([]);
  });

  it("tells time per node, as an application runs the model", async () => {
    vi.mocked(benchmark).mockResolvedValue({ ...times, inputs: 1 } as Awaited<ReturnType<typeof benchmark>>);
    vi.mocked(profileNodes).mockResolvedValue([node, { ...node, name: "one", opType: "Add", micros: 10 }]);
    const { said } = await run(bench, ["a.onnx", "--profile"]);
    expect(said.slice(3)).toEqual([
      "node     operator  provider  µs/run  share",
      "product  MatMul    cpu       3.0     75.0 %",
      "one      Add       cpu       1.0     25.0 %",
    ]);
    const [, , feeds, settings] = vi.mocked(profileNodes).mock.lastCall!;
    expect([[...feeds.keys()], settings]).toEqual([["x"], { ep: "cpu", threads: 1, stock: true }]);
  });
});

it("a comparison is told in words, and with --json as data alone", async () => {
  const words = ["a.onnx", "b.onnx", "--rounds", "2", "--eval-samples", "2"];
  const { said, outcome } = await run(compare, words);
  expect(said.map((line) => line.split(" ")[0])).toEqual(
    expect.arrayContaining(["on", "size", "latency", "agreement"]),
  );
  expect(outcome).toMatchObject({ ok: true, result: { data: "random inputs", broken: [] } });
  expect((await run(compare, words, true)).said).toEqual([]);
});
