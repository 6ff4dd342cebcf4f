/** @file What bundlers make of an application: no warnings, and a page that computes and trains. */
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { floatsOf } from "../../src/ir/index.ts";
import { encodeModel } from "../../src/onnx/index.ts";
import { openSession } from "../../src/runtime/index.ts";
import { denseFeeds, denseModel } from "../models.ts";
import { chromium } from "../swiftshader.ts";
import type * as application from "./application.ts";
import { bundlers, makeProject } from "./bundles.ts";
import { type OpenedPage, openPage } from "./page.ts";
import { startServer, type TestServer } from "./server.ts";

/** Runs in the page. */
async function computed({ bytes, x, threads }: { bytes: number[]; x: number[]; threads: number }): Promise<number[]> {
  const { web } = (globalThis as unknown as { app: application.App }).app;
  const session = await web.openSession(new Uint8Array(bytes), { ep: "wasm", threads });
  const { y } = await web.runArrays(session, { x: new Float32Array(x) });
  await session.release();
  return [...(y!.data as Float32Array)];
}

/** Runs in the page: what Node alone can do, and what it says. */
async function refused(): Promise<(string | undefined)[]> {
  const { data, web } = (globalThis as unknown as { app: application.App }).app;
  const error = await data.openData("pictures/").catch((cause: unknown) => cause);
  return error instanceof web.UnsupportedError ? [error.name, error.code] : [String(error)];
}

/** Runs in the page. */
async function losses(): Promise<number[]> {
  const { ir, data, train } = (globalThis as unknown as { app: application.App }).app;
  const b = ir.graphBuilder();
  const w = b.constant("w", ir.tensorFromNumbers("float32", [2, 2], [0.1, 0, 0, 0.1]));
  b.output(b.op("MatMul", [b.input("x", "float32", ["batch", 2]), w]), "logits");
  const samples = data.datasetOf({
    size: 8,
    labels: async () => Float64Array.from({ length: 8 }, (_, i) => i % 2),
    open: () => ({
      read: (i) => ({
        inputs: new Map([["x", ir.tensorFromNumbers("float32", [2], [i % 2, 1 - (i % 2)])]]),
        label: i % 2,
        source: `${i}`,
      }),
    }),
  });
  const run = train.fit(ir.model(b.build()), {
    data: samples,
    loss: "crossEntropy",
    optimizer: "sgd",
    learningRate: 0.5,
    epochs: 3,
    batch: 8,
  });
  const seen: number[] = [];
  for await (const event of run) if (event.type === "step") seen.push(event.loss);
  await run.result;
  return seen;
}

const title = "an application for browsers";
const suite = chromium ? describe : describe.skip;

suite(chromium ? title : `${title} [needs Chromium; CHROMIUM_PATH names one]`, () => {
  let project: string;
  let server: TestServer;
  let expected: number[];

  beforeAll(async () => {
    project = makeProject();
    server = await startServer(new Map([["built", `${project}/`]]));
    await using session = await openSession(denseModel());
    expected = [...floatsOf((await session.run(denseFeeds())).get("y")!)];
  });

  afterAll(async () => {
    await server?.[Symbol.asyncDispose]();
    rmSync(project, { recursive: true });
  });

  describe.each(Object.keys(bundlers) as (keyof typeof bundlers)[])("built by %s", (name) => {
    let said: string[];
    let opened: OpenedPage;

    beforeAll(async () => {
      said = await bundlers[name](project, join(project, name));
      opened = await openPage(`${server.url}built/${name}/index.html`, "app", { webgpu: false });
    });
    afterAll(() => opened?.browser.close());

    it("builds without a warning, and reaches nothing of Node", () => {
      expect(said).toEqual([]);
      expect(readdirSync(join(project, name), { recursive: true, encoding: "utf8" })).toContain("index.html");
    });

    it.each([1, 2])("computes with %d threads", async (threads) => {
      const x = [...floatsOf(denseFeeds().get("x")!)];
      const values = await opened.page.evaluate(computed, { bytes: [...encodeModel(denseModel())], x, threads });
      expect(values).toHaveLength(expected.length);
      for (const [i, value] of values.entries()) expect(value).toBeCloseTo(expected[i]!, 4);
    });

    it("trains", async () => {
      const seen = await opened.page.evaluate(losses);
      expect(seen).toHaveLength(3);
      expect(seen[2]).toBeLessThan(seen[0]!);
    });

    it("says what needs Node, with names that no minifier changes", async () => {
      expect(await opened.page.evaluate(refused)).toEqual(["UnsupportedError", "LITHE_UNSUPPORTED"]);
    });

    it("breaks no rule of the content security policy", () => {
      expect(opened.messages.filter((text) => text.includes("Content Security Policy"))).toEqual([]);
    });
  });
});
