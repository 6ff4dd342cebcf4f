import { expect, it } from "vitest";
import { denseModel } from "../../test/models.ts";
import { chromium } from "../../test/swiftshader.ts";
import { convertFloat16 } from "../passes/index.ts";
import { judgeOf } from "./judge-of.ts";
import { openSession } from "./open.ts";

const title = "a page without float16 judges no file that has it";

it.skipIf(!chromium)(`${title} [needs Chromium; CHROMIUM_PATH names one]`, async ({ skip }) => {
  const { model: half } = await convertFloat16().run(denseModel());
  await using judge = await judgeOf("webgpu", openSession, half);
  skip(judge.isPage, "the adapter has float16");
  expect(judge.build).toMatch(/^onnxruntime-node .*, not the web build: its adapter .* has no float16$/);
  await using plain = await judgeOf("webgpu", openSession, denseModel());
  expect(plain.isPage).toBe(true);
});
