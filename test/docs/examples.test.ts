/** @file Every example runs as it stands. */
import { execFile } from "node:child_process";
import { readdirSync } from "node:fs";
import { expect, it } from "vitest";
import { root } from "../meta/sources.ts";

const examples = readdirSync(`${root}examples`).filter((name) => name.endsWith(".ts"));

it.each(examples)("%s", async (name) => {
  const { code, output } = await run(`${root}examples/${name}`);
  expect([name, code, code === 0 ? "" : output.slice(-800)]).toEqual([name, 0, ""]);
  expect(output.trim()).not.toBe("");
});

function run(path: string): Promise<{ code: number; output: string }> {
  const args = ["--import", `${root}scripts/typescript.mjs`, path];
  return new Promise((resolve) => {
    execFile(process.execPath, args, { cwd: root }, (error, stdout, stderr) => {
      resolve({ code: error ? 1 : 0, output: stdout + stderr });
    });
  });
}
