import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import * as z from "zod";
import { denseFeeds, denseModel } from "../../../test/models.ts";
import { agreementElsewhere } from "../../accelerate/index.ts";
import { parseArguments } from "../../cli/arguments.ts";
import { techniqueCommand } from "../../cli/technique-command.ts";
import { BoundError, CancelledError, UsageError } from "../../errors.ts";
import { encodeModel } from "../../onnx/index.ts";
import { quantizeTechnique } from "../../quantize/index.ts";
import { setting, whole } from "../../settings/index.ts";
import { defineTechnique, type Evidence, type TechniqueContext } from "../../technique/index.ts";
import type { Console, ProgressEvent } from "../console.ts";
import { openOriginal } from "../verify/compare-with-original.ts";
import type { Warn } from "./job.ts";

vi.mock("../verify/compare-with-original.ts", async (original) => {
  const all = await original<typeof import("../verify/compare-with-original.ts")>();
  return { ...all, openOriginal: vi.fn(all.openOriginal) };
});

vi.mock("../../accelerate/index.ts", async (original) => {
  const all = await original<typeof import("../../accelerate/index.ts")>();
  return { ...all, agreementElsewhere: vi.fn(all.agreementElsewhere) };
});

let folder = "";
let path = "";
let out = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "lithe-"));
  path = join(folder, "dense.onnx");
  out = join(folder, "small.onnx");
  await writeFile(path, encodeModel(denseModel()));
  vi.mocked(openOriginal).mockClear();
});
afterEach(() => rm(folder, { recursive: true }));

function listener({ json = false, controller = new AbortController() } = {}) {
  const said: string[] = [];
  const shown: ProgressEvent[] = [];
  const console: Console = {
    json,
    signal: controller.signal,
    say: (line) => void said.push(line),
    progress: (event) => void shown.push(event),
  };
  return { console, said, shown };
}

async function quantized(words: readonly string[], { console, warn }: { console?: Console; warn?: Warn } = {}) {
  const command = techniqueCommand(quantizeTechnique, warn as Warn<typeof quantizeTechnique.settings>);
  const { settings } = parseArguments("quantize", "", command, [path, "--form", "dynamic", "-o", out, ...words])!;
  return await command.run([path], settings, console ?? listener().console);
}

const record = async (name: string) => JSON.parse(await readFile(join(folder, "small-run", name), "utf8"));

describe("the same answers on other providers", () => {
  it("are looked for where they are asked for, and told in the report", async () => {
    const { console, said } = listener();
    const { result, ok } = await quantized(["--check-ep", "wasm,cpu"], { console });
    expect(ok).toBe(true);
    expect(result).toMatchObject({ providers: [{ ep: "wasm", status: "agrees" }], broken: [] });
    expect(said.join("\n")).toMatch(/on wasm +agrees \(onnxruntime-web/);
    const { sections } = await record("report.json");
    const [table] = sections.parts.slice(-1);
    expect(table).toMatchObject({
      title: "The same answers elsewhere",
      rows: [{ cells: ["wasm", expect.any(String), "agrees", expect.any(String)] }],
    });
    const without = await quantized([]);
    expect(without.result).not.toHaveProperty("providers");
  });

  it("are missing where a provider has others, and no file is written for it", async () => {
    vi.mocked(agreementElsewhere).mockResolvedValueOnce([
      { ep: "webgpu", build: "a page", status: "differs", reason: "relative error 1.0e+0, bound 0.02" },
      { ep: "wasm", build: "a module", status: "not available", reason: "it is not installed" },
    ]);
    const { result, ok } = await quantized(["--check-ep", "webgpu,wasm"]);
    expect(ok).toBe(false);
    expect(existsSync(out)).toBe(false);
    const sentence = "other answers on webgpu (a page): relative error 1.0e+0, bound 0.02";
    expect(result).toMatchObject({ broken: [sentence], error: expect.any(BoundError) });
    expect((await record("report.json")).broken).toEqual([sentence]);
  });
});

describe("the job of a technique", () => {
  it("refuses a bound on accuracy before any work where there are no labels", async () => {
    await expect(quantized(["--max-drop", "0.1"])).rejects.toBeInstanceOf(UsageError);
    expect(openOriginal).not.toHaveBeenCalled();
  });

  it("says in a dry run what would be written where, and lets go of the original", async () => {
    const { console, said } = listener();
    const { result, ok } = await quantized(["--dry-run"], { console });
    expect(result).toEqual({ dryRun: true, form: "dynamic", data: "random inputs", nodes: 3, out });
    expect([ok, said.at(-1)]).toEqual([undefined, `dynamic of 3 nodes: ${out} would be written; nothing was changed`]);
    expect(await readdir(folder)).toEqual(["dense.onnx"]);
    const { session } = (await vi.mocked(openOriginal).mock.results[0]!.value) as Awaited<
      ReturnType<typeof openOriginal>
    >;
    await expect(session.run(denseFeeds())).rejects.toThrow();
    const quiet = listener({ json: true });
    await quantized(["--dry-run"], quiet);
    expect(quiet.said.filter((line) => line.includes("would be written"))).toEqual([]);
  });

  it("writes what keeps the bounds, with its report beside it", async () => {
    const { console, said } = listener();
    const page = join(folder, "small-run", "report.html");
    expect(await quantized([], { console })).toMatchObject({
      ok: true,
      result: { file: out, broken: [], form: "dynamic", report: page, layers: [{ quantized: true }] },
    });
    expect(existsSync(out)).toBe(true);
    expect(said).toContain("1 of 1 layers in fewer bits");
    expect(said.slice(-2)).toEqual([`model:  ${out}`, `report: ${page}`]);
    const report = await record("report.json");
    expect(report).toMatchObject({
      ...{ kind: "technique", technique: "quantize", title: "lithe quantize: dense.onnx", seed: 1, broken: [] },
      original: { name: "dense.onnx", sha256: expect.stringMatching(/^\w{64}$/) },
      model: { name: "small.onnx", sha256: expect.stringMatching(/^\w{64}$/) },
      settings: [{ name: "form", value: "dynamic" }],
      data: { source: "random inputs", training: 0 },
    });
    expect(report.command).toMatch(/^npx litheml quantize \S*dense\.onnx --ep cpu .*--form dynamic/);
    const { config } = await record("run.json");
    expect(config).toMatchObject({ command: "quantize", model: "dense.onnx", form: "dynamic", seed: 1 });
    expect(Object.keys(config)).not.toEqual(expect.arrayContaining(["out"]));
  });

  it("says why it does not write what breaks a bound, and reports it", async () => {
    expect(await quantized(["--allow-error", "0"], listener({ json: true }))).toMatchObject({
      ok: false,
      result: { broken: [expect.stringMatching(/bound 0$/)], error: expect.anything() },
    });
    expect(existsSync(out)).toBe(false);
    expect(await record("report.json")).toMatchObject({ model: { sha256: "" }, broken: [expect.anything()] });
  });

  it("warns before the work of what is known against it", async () => {
    const { console, said } = listener();
    const warn = async () => ({ code: "W_SLOW", message: "it is slow here" });
    expect((await quantized(["--dry-run"], { console, warn })).result).toMatchObject({
      warning: "W_SLOW: it is slow here",
    });
    expect(said).toContain("W_SLOW: it is slow here");
    await quantized([], { warn });
    expect((await record("report.json")).warnings).toContainEqual(await warn());
  });
});

/** A technique that does what a test says. */
function techniqueThat(run: (context: TechniqueContext) => Promise<Evidence>) {
  return defineTechnique({
    ...{ name: "try", summary: "a try", ready: "blocks", keeps: "answers", recovers: true },
    settings: z.strictObject({ rounds: setting("--rounds <n>", "how often", whole(1).default(3)) }),
    suffix: () => "_tried",
    check: () => undefined,
    plan: () => ({ sentence: "a try", facts: {} }),
    run: (_, __, context) => run(context),
    sections: () => ({ verdict: "tried", parts: [], facts: [] }),
  });
}

describe("a technique that wins accuracy back", () => {
  const step = { type: "step", step: 3, steps: 9, update: 3, epoch: 1, loss: 1, learningRate: 0.1 } as const;
  const trainingStep = { ...step, samplesPerSecond: 1, etaMs: 1, terms: { answers: 0.5 } };
  const words = ["--data", "demo", "--finetune", "2"];

  async function tried(
    run: (context: TechniqueContext) => Promise<Evidence>,
    own: readonly string[],
    console: Console,
  ) {
    const command = techniqueCommand(techniqueThat(run));
    const model = join(folder, "demo.onnx");
    const { demoModelPath } = await import("../../data/index.ts");
    await writeFile(model, await readFile(await demoModelPath()));
    const few = ["--calibration-samples", "4", "--eval-samples", "4"];
    const { settings } = parseArguments("try", "", command, [model, "-o", out, ...few, ...own])!;
    return await command.run([model], settings, console);
  }

  it("is told how, with a place for its state", async () => {
    let recovery: TechniqueContext["recovery"];
    const stopped = new Error("far enough");
    const look = (context: TechniqueContext) => {
      recovery = context.recovery;
      return Promise.reject(stopped);
    };
    await expect(tried(look, words, listener().console)).rejects.toBe(stopped);
    const checkpoint = { folder: join(folder, "small-run", "checkpoints") };
    expect(recovery).toMatchObject({ epochs: 2, learningRate: 5e-4, temperature: 2, checkpoint, resume: false });
    expect(existsSync(join(folder, "small-run"))).toBe(false);
    await expect(tried(look, words.slice(0, 2), listener().console)).rejects.toBe(stopped);
    expect(recovery).toBeUndefined();
  });

  it("goes on with what it decided by measuring", async () => {
    const decided: number[] = [];
    const deciding = (value: number) => async (context: TechniqueContext) => {
      const { found } = await context.once("choice", async () => ({ found: value }));
      decided.push(found);
      return Promise.reject(new Error("interrupted"));
    };
    await expect(tried(deciding(1), words, listener().console)).rejects.toThrow("interrupted");
    await expect(tried(deciding(2), [...words, "--resume"], listener().console)).rejects.toThrow("interrupted");
    await expect(tried(deciding(3), words.slice(0, 2), listener().console)).rejects.toThrow("interrupted");
    expect(decided).toEqual([1, 1, 3]);
  });

  it("keeps apart what its parts decide and make", async () => {
    const values = async (context: TechniqueContext) => {
      const decided: object[] = [];
      for (const name of ["one", "other"]) {
        const part = context.part(name);
        decided.push(await part.once("choice", async () => ({ of: name })));
        const made = await part.onceModel("model", async () => ({ model: denseModel(), facts: { of: name } }));
        decided.push(made.facts);
        expect(part.checkpoints.folder).toMatch(new RegExp(`checkpoints.${name}$`));
      }
      expect(decided).toEqual([{ of: "one" }, { of: "one" }, { of: "other" }, { of: "other" }]);
      return Promise.reject(new Error("far enough"));
    };
    await expect(tried(values, words, listener().console)).rejects.toThrow("far enough");
  });

  it("keeps and shows the steps of its training, and what an interrupted one has learned", async () => {
    const controller = new AbortController();
    const { console, shown } = listener({ controller });
    const error = await tried(
      async (context) => {
        await context.trained(trainingStep);
        await context.emit({ type: "own" });
        controller.abort();
        throw new Error("aborted");
      },
      words,
      console,
    ).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(CancelledError);
    expect(String(error)).toMatch(/state of the training is kept in .*small-run.*--resume/);
    expect(shown).toContainEqual({ stage: "distil", done: 3, total: 9, detail: "answers 0.5000" });
    const lines = (await readFile(join(folder, "small-run", "events.jsonl"), "utf8")).trim().split("\n");
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([{ type: "step", step: 3 }, { type: "own" }]);
    const again = tried(() => Promise.reject(new Error("resumed")), [...words, "--resume"], listener().console);
    await expect(again).rejects.toThrow("resumed");
    const other = ["--data", "demo", "--finetune", "3", "--resume"];
    await expect(tried(() => Promise.reject(new Error("never")), other, listener().console)).rejects.toThrow(
      /another configuration/,
    );
  });
});
