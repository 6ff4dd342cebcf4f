/** @file Sessions in a real browser: wasm with one and two threads, WebGPU on a software adapter. */
import { type Browser, chromium as launcher, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { floatsOf } from "../../src/ir/index.ts";
import { encodeModel } from "../../src/onnx/index.ts";
import { openSession } from "../../src/runtime/index.ts";
import type * as web from "../../src/runtime/web/index.ts";
import { denseFeeds, denseModel } from "../models.ts";
import { chromium } from "../swiftshader.ts";
import { startServer, type TestServer } from "./server.ts";

interface Work {
  readonly model: number[];
  readonly x: number[];
  readonly options: { ep?: "cpu" | "wasm" | "webgpu"; threads?: number; isolate?: "process"; profile?: boolean };
}

/** Runs in the page. */
async function inPage({ model, x, options }: Work): Promise<{ values: number[]; again: number[] }> {
  const { openSession: open } = (globalThis as unknown as { lithe: typeof web }).lithe;
  const session = await open(Uint8Array.from(model), { ...options, assets: new URL("/ort/", location.href).href });
  const feeds = new Map([["x", { dtype: "float32" as const, dims: [2, 4], data: Uint8Array.from(x) }]]);
  const results = await session.run(feeds);
  const held = await session.hold!(feeds);
  await held.time(2);
  const second = await held.run();
  await session.release();
  const numbers = (map: typeof results): number[] => [
    ...new Float32Array((map.get("y")!.data as Uint8Array).slice().buffer),
  ];
  return { values: numbers(results), again: numbers(second) };
}

const title = "a session in the browser";
const suite = chromium ? describe : describe.skip;

suite(chromium ? title : `${title} [needs Chromium; CHROMIUM_PATH names one]`, () => {
  let server: TestServer;
  let browser: Browser;
  let page: Page;
  let expected: number[];
  const messages: string[] = [];

  beforeAll(async () => {
    server = await startServer();
    const args = ["--no-sandbox", "--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"];
    browser = await launcher.launch({ executablePath: chromium!, args, timeout: 0 });
    page = await browser.newPage();
    page.setDefaultTimeout(0);
    page.on("console", (message) => messages.push(message.text()));
    await page.goto(server.url);
    await page.waitForFunction("globalThis.lithe");
    await using session = await openSession(denseModel());
    expected = [...floatsOf((await session.run(denseFeeds())).get("y")!)];
  });

  afterAll(async () => {
    await browser?.close();
    await server?.[Symbol.asyncDispose]();
  });

  function work(options: Work["options"]): Work {
    const x = denseFeeds().get("x")!.data as Uint8Array;
    return { model: [...encodeModel(denseModel())], x: [...x], options };
  }

  it.each([{}, { ep: "wasm" }, { ep: "wasm", threads: 2 }, { ep: "webgpu" }] as const)(
    "gives the results of Node with %o",
    async (options) => {
      const { values, again } = await page.evaluate(inPage, work(options));
      expect(values).toHaveLength(expected.length);
      for (const [i, value] of values.entries()) expect(value).toBeCloseTo(expected[i]!, 4);
      expect(again).toEqual(values);
    },
  );

  it.each([{ ep: "cpu" }, { isolate: "process" }, { profile: true }] as const)(
    "refuses %o by name",
    async (options) => {
      await expect(page.evaluate(inPage, work(options))).rejects.toThrow(/a browser has no|writes no profile/);
    },
  );

  it("breaks no rule of the content security policy", () => {
    expect(messages.filter((text) => text.includes("Content Security Policy"))).toEqual([]);
  });
});
