import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { denseFeeds, denseModel } from "../../test/models.ts";
import { UsageError } from "../errors.ts";
import type { Console, ProgressEvent } from "../job/console.ts";
import type { LoadedData } from "../job/data/loaded-data.ts";
import { openOriginal } from "../job/verify/compare-with-original.ts";
import { encodeModel } from "../onnx/index.ts";
import type { QuantizeOptions } from "../quantize/index.ts";
import { cpuSaturates } from "../runtime/index.ts";
import { parseArguments } from "./arguments.ts";
import { command } from "./quantize.ts";
import { outputPath, type QuantizeFlags, requireData } from "./quantize-flags.ts";
import { make } from "./quantize-job.ts";
import { quantizeOptions } from "./quantize-options.ts";

vi.mock("./compare-with-original.ts", async (original) => {
  const all = await original<typeof import("../job/verify/compare-with-original.ts")>();
  return { ...all, openOriginal: vi.fn(all.openOriginal) };
});

let folder = "";
let path = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "lithe-"));
  path = join(folder, "dense.onnx");
  await writeFile(path, encodeModel(denseModel()));
  vi.stubEnv("XDG_CACHE_HOME", folder);
  vi.mocked(openOriginal).mockClear();
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true });
});

function flagsOf(...words: readonly string[]): QuantizeFlags {
  return parseArguments("quantize", "", command, [path, ...words])!.options as unknown as QuantizeFlags;
}

function listener(json = false) {
  const said: string[] = [];
  const shown: ProgressEvent[] = [];
  const console: Console = {
    json,
    signal: new AbortController().signal,
    say: (line) => void said.push(line),
    progress: (event) => void shown.push(event),
  };
  return { console, said, shown };
}

const data = { calibration: async function* () {} } as unknown as LoadedData;
const optionsOf = (flags: QuantizeFlags) => quantizeOptions(flags, data, listener().console);

describe("the options of quantize", () => {
  it("have the bits of int8 weights that are asked for, or those that the machine adds exactly", async () => {
    const bits = async (...words: readonly string[]) => {
      const options = await optionsOf(flagsOf("--form", "static", ...words));
      return (options as Extract<QuantizeOptions, { form: "static" }>).weightBits;
    };
    expect([await bits("--weight-bits", "7"), await bits("--weight-bits", "8")]).toEqual([7, 8]);
    expect(await bits()).toBe((await cpuSaturates()) ? 7 : 8);
    expect(await bits("--ep", "wasm")).toBe(8);
  });

  it("store 4 bits in blocks of 32 where nobody says otherwise", async () => {
    const flags = flagsOf("--form", "weight-only");
    expect(await optionsOf(flags)).toMatchObject({ bits: 4, blockSize: 32, symmetric: false, format: "matmul-nbits" });
    expect(outputPath("a/net.onnx", flags)).toBe("a/net_q4.onnx");
    expect(outputPath("net.onnx", flagsOf("--form", "static"))).toBe("net_quantized.onnx");
  });

  it("need data where something is chosen by them", () => {
    expect(() => requireData(flagsOf("--form", "static"))).toThrow("static quantization needs data");
    expect(() => requireData(flagsOf("--form", "dynamic"))).not.toThrow();
    expect(() => requireData(flagsOf("--form", "weight-only", "--rounding", "second-order"))).toThrow(
      "second-order rounding needs data",
    );
    expect(() => requireData(flagsOf("--form", "weight-only"))).not.toThrow();
    expect(() => requireData(flagsOf("--form", "static", "--data", "random"))).not.toThrow();
  });

  it("tell how far calibration and rounding are", async () => {
    const { console, shown } = listener();
    const options = await quantizeOptions(flagsOf("--form", "static"), data, console);
    const { onEvent } = options as Extract<QuantizeOptions, { form: "static" }>;
    onEvent!({ type: "calibrate", batch: 3 });
    onEvent!({ type: "moments", batch: 4, layers: 2 });
    onEvent!({ type: "round", node: "conv1", done: 1, total: 2 });
    expect(shown).toEqual([
      { stage: "calibrate", done: 3, total: 0 },
      { stage: "statistics", done: 4, total: 0 },
      { stage: "round", done: 1, total: 2, detail: "conv1" },
    ]);
  });
});

describe("quantizing", () => {
  const original = async () =>
    (await vi.mocked(openOriginal).mock.results[0]!.value) as Awaited<ReturnType<typeof openOriginal>>;

  it("refuses a bound on accuracy before any work where there are no labels", async () => {
    const flags = flagsOf("--form", "dynamic", "--max-drop", "0.1");
    await expect(make(path, flags, listener().console)).rejects.toBeInstanceOf(UsageError);
    expect(openOriginal).not.toHaveBeenCalled();
  });

  it("plans without a change, and lets go of the original", async () => {
    const plan = await make(path, flagsOf("--form", "dynamic", "--dry-run"), listener().console);
    expect(plan).toEqual({ form: "dynamic", data: "random inputs", nodes: 3 });
    const { session } = await original();
    await expect(session.run(denseFeeds())).rejects.toThrow();
  });

  it("keeps the original for the comparison with what it made", async () => {
    const made = await make(path, flagsOf("--form", "dynamic"), listener().console);
    if (!("before" in made)) throw new Error("a plan");
    await using before = made.before;
    expect((await before.session.run(denseFeeds())).get("y")?.dims).toEqual([2, 3]);
    expect(made.layers).toEqual([expect.objectContaining({ quantized: true })]);
  });

  it("says in a dry run what would be written where", async () => {
    const out = join(folder, "small.onnx");
    const flags = { ...flagsOf("--form", "dynamic", "--dry-run", "-o", out) };
    const { console, said } = listener();
    const { result, ok } = await command.run([path], flags, console);
    expect(result).toEqual({ dryRun: true, form: "dynamic", data: "random inputs", nodes: 3, out });
    expect([ok, said.at(-1), existsSync(out)]).toEqual([
      undefined,
      `dynamic would be written to ${out}; nothing was changed`,
      false,
    ]);
    const quiet = listener(true);
    await command.run([path], flags, quiet.console);
    expect(quiet.said.filter((line) => line.includes("would be written"))).toEqual([]);
  });

  it("writes what keeps the bounds, and says why it does not write the rest", async () => {
    const out = join(folder, "small.onnx");
    const refused = await command.run(
      [path],
      { ...flagsOf("--form", "dynamic", "--allow-error", "0", "-o", out) },
      listener(true).console,
    );
    expect(refused).toMatchObject({
      ok: false,
      result: { broken: [expect.stringMatching(/bound 0$/)], error: expect.anything() },
    });
    expect(existsSync(out)).toBe(false);
    const { console, said } = listener();
    const written = await command.run([path], { ...flagsOf("--form", "dynamic", "-o", out) }, console);
    expect(written).toMatchObject({ ok: true, result: { file: out, broken: [], form: "dynamic" } });
    expect(existsSync(out)).toBe(true);
    expect(said).toContain("1 of 1 layers in fewer bits");
    expect(said.at(-1)).toBe(`model:  ${out}`);
  });
});
