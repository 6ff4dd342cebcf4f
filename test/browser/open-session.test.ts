/** @file What a page gives `openSession`, what it chooses, and what it says when that does not work. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { floatsOf } from "../../src/ir/index.ts";
import { encodeModel } from "../../src/onnx/index.ts";
import { openSession } from "../../src/runtime/index.ts";
import type * as web from "../../src/runtime/web/index.ts";
import { denseFeeds, denseModel } from "../models.ts";
import { chromium } from "../swiftshader.ts";
import { type OpenedPage, openPage } from "./page.ts";
import { startServer, type TestServer, UNANSWERED } from "./server.ts";

interface Work {
  readonly how: "text" | "url" | "blob" | "buffer" | "bytes" | "nothing" | "numbers";
  readonly path?: string;
  readonly x?: readonly number[];
  readonly options?: Omit<web.WebSessionOptions, "signal" | "onProgress" | "config" | "limits">;
  /** When the opening is cancelled. */
  readonly abort?: "before" | "after";
}

interface Outcome {
  readonly values?: readonly number[];
  readonly dims?: readonly number[];
  readonly ep?: string;
  readonly passedOver?: readonly web.PassedOver[];
  readonly notices?: readonly string[];
  readonly progress: readonly web.DownloadProgress[];
  readonly error?: { readonly name: string; readonly code: string; readonly message: string };
}

/** Runs in the page. */
async function inPage({ how, path = "/models/dense.onnx", x = [], options = {}, abort }: Work): Promise<Outcome> {
  const { lithe } = globalThis as unknown as { lithe: typeof web };
  const controller = new AbortController();
  const progress: web.DownloadProgress[] = [];
  if (abort === "before") controller.abort();
  try {
    const fetched = async () => (await fetch("/models/dense.onnx")).arrayBuffer();
    const sources: Record<Work["how"], () => Promise<unknown>> = {
      text: async () => path,
      url: async () => new URL(path, location.href),
      blob: async () => new Blob([await fetched()]),
      buffer: fetched,
      bytes: async () => new Uint8Array(await fetched()),
      nothing: async () => null,
      numbers: async () => new Float32Array(3),
    };
    const opening = lithe.openSession((await sources[how]()) as web.ModelSource, {
      assets: "/ort",
      signal: controller.signal,
      onProgress: (event) => progress.push(event),
      ...options,
    });
    if (abort === "after") controller.abort();
    const session = await opening;
    const { ep, passedOver, notices = [] } = session;
    const { y } = await lithe.runArrays(session, { x: new Float32Array(x) });
    await session.release();
    return { values: [...(y!.data as Float32Array)], dims: y!.dims, ep, passedOver, notices, progress };
  } catch (cause) {
    const { name, code, message } = cause as web.LitheError;
    return { error: { name, code, message }, progress };
  }
}

const title = "opening a session in a page";
const suite = chromium ? describe : describe.skip;

suite(chromium ? title : `${title} [needs Chromium; CHROMIUM_PATH names one]`, () => {
  const models = mkdtempSync(join(tmpdir(), "lithe-models-"));
  const bytes = encodeModel(denseModel());
  const x = [...floatsOf(denseFeeds().get("x")!)];
  let server: TestServer;
  let opened: OpenedPage;
  let expected: number[];

  beforeAll(async () => {
    writeFileSync(join(models, "dense.onnx"), bytes);
    writeFileSync(join(models, "other.onnx"), bytes);
    writeFileSync(join(models, "page.html"), "<!doctype html>");
    writeFileSync(join(models, "noise.onnx"), "this is no model");
    server = await startServer(new Map([["models", `${models}/`]]));
    opened = await openPage(server.url, "lithe", { webgpu: false });
    await using session = await openSession(denseModel());
    expected = [...floatsOf((await session.run(denseFeeds())).get("y")!)];
  });

  afterAll(async () => {
    await opened?.browser.close();
    await server?.[Symbol.asyncDispose]();
    rmSync(models, { recursive: true });
  });

  const outcome = (work: Work): Promise<Outcome> => opened.page.evaluate(inPage, { x, ...work });

  it.each(["text", "url", "blob", "buffer", "bytes"] as const)("takes a model as %s", async (how) => {
    const { values, dims, error, ep } = await outcome({ how });
    expect(error).toBeUndefined();
    expect([ep, dims]).toEqual(["wasm", [2, 3]]);
    for (const [i, value] of values!.entries()) expect(value).toBeCloseTo(expected[i]!, 4);
  });

  it("tells how much has arrived, and keeps it where a cache is named", async () => {
    const options = { cache: "models" };
    const first = await outcome({ how: "text", path: "/models/other.onnx", options });
    expect(first.progress.at(-1)).toEqual({ loaded: bytes.length, total: bytes.length, cached: false });
    rmSync(join(models, "other.onnx"));
    const { progress, values } = await outcome({ how: "text", path: "/models/other.onnx", options });
    expect(progress.at(-1)).toEqual({ loaded: bytes.length, total: bytes.length, cached: true });
    expect(values).toEqual(first.values);
    const uncached = await outcome({ how: "text", path: "/models/other.onnx" });
    expect(uncached.error).toMatchObject({ code: "LITHE_DATA" });
  });

  it("takes the next provider and says why", async () => {
    const { ep, passedOver, notices } = await outcome({ how: "text", options: { ep: ["webgpu", "wasm"] } });
    expect([ep, passedOver?.map((other) => other.ep)]).toEqual(["wasm", ["webgpu"]]);
    expect(passedOver?.[0]?.reason).toContain("no adapter for WebGPU");
    expect(notices).toContainEqual(expect.stringContaining("webgpu was passed over: this page has no adapter"));
  });

  it.each<[string, Work, string, RegExp]>([
    ["no WebGPU", { how: "text", options: { ep: "webgpu" } }, "LITHE_UNSUPPORTED", /no adapter for WebGPU/],
    ["no provider", { how: "text", options: { ep: [] } }, "LITHE_USAGE", /no provider to try/],
    ["what is absent", { how: "text", path: "/models/none.onnx" }, "LITHE_DATA", /did not send the model; got 404/],
    ["a page", { how: "text", path: "/models/page.html" }, "LITHE_DATA", /a page in the place of the model/],
    ["another origin", { how: "text", path: "http://127.0.0.1:9/a.onnx" }, "LITHE_DATA", /could not be downloaded/],
    ["no address", { how: "text", path: "http://[" }, "LITHE_USAGE", /no address of a model/],
    ["noise", { how: "text", path: "/models/noise.onnx" }, "LITHE_FORMAT", /./],
    ["nothing", { how: "nothing" }, "LITHE_USAGE", /no model to open; expected the address/],
    ["numbers", { how: "numbers" }, "LITHE_USAGE", /a view of other numbers than bytes/],
    ["too few numbers", { how: "text", x: [1, 2, 3] }, "LITHE_SHAPE", /does not fill its input/],
    ["a cancelled signal", { how: "text", abort: "before" }, "LITHE_CANCELLED", /cancelled/],
    [
      "a signal that is cancelled meanwhile",
      { how: "bytes", abort: "after" },
      "LITHE_CANCELLED",
      /abandoned|cancelled/,
    ],
    [
      "a runtime that does not arrive",
      { how: "bytes", options: { assets: UNANSWERED, startLimit: 700 } },
      "LITHE_LIMIT",
      /did not start in time.*assets/,
    ],
    ["a worker that does not start", { how: "bytes", options: { startLimit: 1 } }, "LITHE_LIMIT", /has not run after/],
  ])("refuses %s by a stable code", async (_, work, code, message) => {
    const { error } = await outcome(work);
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
    expect(error?.name).toMatch(/^[A-Z][A-Za-z]+Error$/);
  });

  it("detects what the page has", async () => {
    const found = await opened.page.evaluate(() =>
      (globalThis as unknown as { lithe: typeof web }).lithe.detectCapabilities(),
    );
    expect(found).toEqual({ isolated: true, threads: expect.any(Number) });
  });
});
