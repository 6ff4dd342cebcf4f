/** @file The program of docs/browser.md, in a page. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { encodeModel } from "../../src/onnx/index.ts";
import { root } from "../meta/sources.ts";
import { denseModel } from "../models.ts";
import { chromium } from "../swiftshader.ts";
import { openPage } from "./page.ts";
import { startServer } from "./server.ts";

const title = "the program of docs/browser.md runs";

it.skipIf(!chromium)(chromium ? title : `${title} [needs Chromium; CHROMIUM_PATH names one]`, async () => {
  const [, program = ""] = /```js\n([\s\S]*?)```/.exec(readFileSync(`${root}docs/browser.md`, "utf8")) ?? [];
  const body = program.replace(/^import (\{.*\}) from "litheml\/web";$/m, "const $1 = globalThis.lithe;");
  expect(body).toContain("globalThis.lithe");
  const models = mkdtempSync(join(tmpdir(), "lithe-models-"));
  writeFileSync(join(models, "dense.onnx"), encodeModel(denseModel()));
  await using server = await startServer(new Map([["models", `${models}/`]]));
  await using opened = await openPage(server.url, "lithe", { webgpu: false });
  const dims = await opened.page.evaluate(`(async () => { ${body}; return y.dims; })()`);
  expect(dims).toEqual([2, 3]);
  rmSync(models, { recursive: true });
});
