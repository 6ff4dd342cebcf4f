/** @file Every command that the README and the pages show, run in a folder with the files that they speak of. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { copyFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { demoModelPath, glyphImages, glyphNames } from "../../src/data/index.ts";
import { saveModel } from "../../src/onnx/files.ts";
import { lithe } from "../cli/run.ts";
import { root } from "../meta/sources.ts";
import { twoHeads } from "../two-heads.ts";

const folder = mkdtempSync(join(tmpdir(), "lithe-docs-"));

/** Pages whose commands build on each other's files come in this order; the others follow. */
const first = ["README.md", "docs/quantize.md", "docs/accelerate.md"];
const pages = ["README.md", ...readdirSync(`${root}docs`).map((name) => `docs/${name}`)]
  .filter((name) => name.endsWith(".md"))
  .sort((a, b) => place(a) - place(b));

function place(page: string): number {
  const position = first.indexOf(page);
  return position < 0 ? first.length : position;
}

interface Shown {
  readonly page: string;
  readonly line: string;
}

/** Lines of `sh` blocks that start with the command. */
const shown = pages.flatMap((page): Shown[] => {
  const text = readFileSync(root + page, "utf8");
  const blocks = [...text.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, block]) => block as string);
  const lines = blocks.flatMap((block) => block.split("\n"));
  return lines.filter((line) => /^npx litheml /.test(line)).map((line) => ({ page, line }));
});

/** `cluster.json` as the page of `lithe plan` shows it, `model.onnx`, a student `heads.onnx` of two tasks, `pictures/` with a folder per class, and the same pictures without classes in `unlabelled/`. */
beforeAll(async () => {
  await copyFile(await demoModelPath(), join(folder, "model.onnx"));
  const [, cluster = ""] = /```json\n([\s\S]*?)```/.exec(readFileSync(`${root}docs/plan.md`, "utf8")) ?? [];
  writeFileSync(join(folder, "cluster.json"), cluster);
  await saveModel(join(folder, "heads.onnx"), twoHeads(["whole", "narrow"]));
  const source = glyphImages({ split: "test", size: 60 });
  const reader = await source.open();
  for (let i = 0; i < source.size; i++) {
    const { image, label } = await reader.read(i);
    const target = join(folder, "pictures", glyphNames[label!]!);
    const flat = join(folder, "unlabelled");
    for (const each of [target, flat]) mkdirSync(each, { recursive: true });
    const { width, height, channels } = image;
    await sharp(image.pixels, { raw: { width, height, channels } })
      .png()
      .toFile(join(target, `${i}.png`));
    await copyFile(join(target, `${i}.png`), join(flat, `${i}.png`));
  }
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Words as a shell would split them; a comment ends the line. Long budgets are cut, nothing else. */
function words(line: string): string[] {
  const list = line
    .replace(/\s+#.*$/, "")
    .split(/\s+/)
    .slice(2);
  const short = list.map((word, i) => (list[i - 1] === "--budget" ? "8s" : word));
  return list[0] === "demo" ? [...short, "--budget", "8s"] : short;
}

describe("commands in the documentation", () => {
  it("are found", () => expect(shown.length).toBeGreaterThan(15));

  it.each(shown)("$page: $line", async ({ line }) => {
    const { code, stderr } = await lithe(words(line), { cwd: folder });
    expect([line, code, code === 0 ? "" : stderr.slice(-600)]).toEqual([line, 0, ""]);
  });
});
