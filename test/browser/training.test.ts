/** @file Training in a real browser, from the built files: wasm, and WebGPU on a software adapter, against Node's CPU. */
import { type Browser, chromium as launcher, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { dataTypes, graphBuilder, model } from "../../src/ir/index.ts";
import { encodeModel } from "../../src/onnx/index.ts";
import { chromium } from "../swiftshader.ts";
import type * as opening from "./open.ts";
import { startServer, type TestServer } from "./server.ts";
import { type Losses, type TaskName, taskNames, trainedLosses } from "./tasks.ts";

interface Work {
  readonly name: TaskName;
  readonly ep: "wasm" | "webgpu";
}

/** Runs in the page. */
function inPage({ name, ep }: Work): Promise<Losses> {
  const { tasks } = globalThis as unknown as { tasks: { trainedLosses: typeof trainedLosses } };
  return tasks.trainedLosses(name, { ep, assets: new URL("/ort/", location.href).href });
}

/** Runs in the page. */
function openInPage({ model: bytes, how }: { model: number[]; how: "opened" | "openedRaw" }): Promise<void> {
  const { tasks } = globalThis as unknown as { tasks: typeof opening };
  return tasks[how](bytes, "webgpu", new URL("/ort/", location.href).href);
}

const title = "training in the browser";
const suite = chromium ? describe : describe.skip;

suite(chromium ? title : `${title} [needs Chromium; CHROMIUM_PATH names one]`, () => {
  let server: TestServer;
  let browser: Browser;
  let page: Page;
  const requests: string[] = [];
  const problems: string[] = [];

  beforeAll(async () => {
    server = await startServer();
    const args = ["--no-sandbox", "--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"];
    browser = await launcher.launch({ executablePath: chromium!, args, timeout: 0 });
    page = await browser.newPage();
    page.setDefaultTimeout(0);
    page.on("request", (request) => requests.push(new URL(request.url()).pathname));
    page.on("pageerror", (error) => problems.push(error.message));
    await page.goto(`${server.url}training`);
    await page.waitForFunction("globalThis.tasks").catch((cause: unknown) => {
      throw new Error(`the page did not load: ${problems.join("; ")}`, { cause });
    });
  });

  afterAll(async () => {
    await browser?.close();
    await server?.[Symbol.asyncDispose]();
  });

  describe.each(taskNames)("of %s", (name) => {
    let expected: Losses;
    beforeAll(async () => {
      expected = await trainedLosses(name, { ep: "cpu" });
      expect(expected.losses).toHaveLength(6);
      expect(expected.losses.at(-1)).toBeLessThan(0.9 * expected.losses[0]!);
    });

    it.each(["wasm", "webgpu"] as const)("gives the losses and parameters of Node on %s", async (ep) => {
      const { losses, sums } = await page.evaluate(inPage, { name, ep });
      expect(losses).toHaveLength(expected.losses.length);
      for (const [i, loss] of losses.entries()) {
        expect(Math.abs(loss / expected.losses[i]! - 1), `step ${i + 1}: ${loss}`).toBeLessThan(1e-4);
      }
      expect(Object.keys(sums)).toEqual(Object.keys(expected.sums));
      for (const [key, sum] of Object.entries(sums)) {
        expect(Math.abs(sum - expected.sums[key]!) / Math.max(1, expected.sums[key]!), key).toBeLessThan(2e-3);
      }
    });
  });

  it("names a type that the build with WebGPU leaves out, where the runtime does not", async () => {
    const g = graphBuilder();
    const wide = g.op("Cast", [g.input("x", "float32", [2])], { to: dataTypes.float64.code });
    g.output(g.op("Cast", [wide], { to: dataTypes.float32.code }), "y");
    const bytes = [...encodeModel(model(g.build()))];
    const raw = page.evaluate(openInPage, { model: bytes, how: "openedRaw" as const });
    await expect(raw).rejects.toThrow("Provider type for Cast node");
    const ours = page.evaluate(openInPage, { model: bytes, how: "opened" as const });
    await expect(ours).rejects.toThrow(/leaves a type of the model out/);
  });

  it("loads nothing that belongs to Node", () => {
    expect(requests).toContain("/src/train/loop/fit.js");
    expect(requests.filter((path) => path.includes("/node/") || path.includes("checkpoint"))).toEqual([]);
  });
});
