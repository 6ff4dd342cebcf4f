/** @file The TypeScript of docs/dynamic.md that stands by itself runs as it is shown. */
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { root } from "../meta/sources.ts";

/** The last word of a heading to what its blocks speak of beside what they make. */
const sections: Record<string, string> = {
  "A network made for exits": "",
  "Small pictures first": `
    import { openSession, tensorFromNumbers } from "litheml";
    const pixels = Array.from({ length: 8 * 3 * 1024 }, (_, i) => Math.sin(i * i));
    const validationBatches = [{
      feeds: new Map([["input", tensorFromNumbers("float32", [8, 3, 32, 32], pixels)]]),
      labels: [0, 1, 2, 3, 4, 5, 6, 7],
    }];`,
  Regions: "",
  "Frames and slices of a sequence": "",
};

const folder = mkdtempSync(join(tmpdir(), "lithe-docs-"));
mkdirSync(join(folder, "node_modules"));
symlinkSync(root, join(folder, "node_modules", "litheml"));
afterAll(() => rmSync(folder, { recursive: true }));

const page = readFileSync(`${root}docs/dynamic.md`, "utf8");

it.each(Object.entries(sections))("%s", async (heading, prelude) => {
  const section = new RegExp(`^##+ ${heading}\\n([\\s\\S]*?)(?=^## |^### |$(?![\\s\\S]))`, "m").exec(page)?.[1] ?? "";
  const blocks = [...section.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, block]) => block as string);
  expect(blocks.length).toBeGreaterThan(0);
  for (const [i, block] of blocks.entries()) {
    const path = join(folder, `${heading.replaceAll(" ", "-")}-${i}.ts`);
    writeFileSync(path, `${prelude}\n${block}\nconsole.log("ran");\n`);
    expect(await run(path)).toBe("ran\n");
  }
});

function run(path: string): Promise<string> {
  const args = ["--import", `${root}scripts/typescript.mjs`, path];
  return new Promise((resolve) => {
    execFile(process.execPath, args, { cwd: folder }, (_, stdout, stderr) => resolve(stdout + stderr));
  });
}
