/** @file The tarball of a fresh clone, installed in an empty project: types, commands, and nothing that does not belong in it. */
import { execFile } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { root } from "../meta/sources.ts";

interface Manifest {
  readonly exports: Readonly<Record<string, unknown>>;
  readonly dependencies: Readonly<Record<string, string>>;
}

const folder = mkdtempSync(join(tmpdir(), "lithe-package-"));
const project = join(folder, "project");
const installed = join(project, "node_modules", "litheml");
const manifest = JSON.parse(readFileSync(`${root}package.json`, "utf8")) as Manifest;

/** Packs a copy of the files that git knows, as a clone has them; `npm ci` is stood for by the packages of this checkout. */
beforeAll(async () => {
  const clone = join(folder, "clone");
  const files = await run(
    "git",
    ["ls-files", "-z", "--cached", "--others", "--exclude-standard", "src", "assets", "*.json", "*.md"],
    root,
  );
  for (const name of files.split("\0").filter(Boolean)) {
    mkdirSync(dirname(join(clone, name)), { recursive: true });
    cpSync(`${root}${name}`, join(clone, name));
  }
  for (const name of [".npmrc", "LICENSE"]) cpSync(`${root}${name}`, join(clone, name));
  symlinkSync(`${root}node_modules`, join(clone, "node_modules"));
  await npm(["pack", "--pack-destination", folder], clone);
  const [tarball] = readdirSync(folder).filter((name) => name.endsWith(".tgz"));
  await install(`file:${join(folder, tarball!)}`);
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Installs without the network: what the package depends on comes from this checkout. */
async function install(tarball: string): Promise<void> {
  const packages = [...Object.keys(manifest.dependencies), "onnxruntime-node"];
  const local = Object.fromEntries(packages.map((name) => [name, `file:${root}node_modules/${name}`]));
  const overrides = Object.fromEntries(packages.map((name) => [name, `$${name}`]));
  mkdirSync(project);
  const dependencies = { litheml: tarball, ...local };
  writeFileSync(
    join(project, "package.json"),
    JSON.stringify({ private: true, type: "module", dependencies, overrides }),
  );
  await npm(["install", "--offline", "--ignore-scripts"], project);
}

function npm(words: readonly string[], cwd: string): Promise<string> {
  return run("npm", words, cwd);
}

async function run(program: string, words: readonly string[], cwd: string): Promise<string> {
  const { stdout } = await promisify(execFile)(program, words, { cwd, maxBuffer: 2 ** 26 });
  return stdout;
}

describe("the package", () => {
  it("holds what was built and no leavings of the build", () => {
    const files = readdirSync(installed, { recursive: true, encoding: "utf8" });
    expect(files).toContain(join("dist", "cli", "main.js"));
    expect(files).toContain(join("assets", "demo", "glyph-net.onnx"));
    expect(files.filter((name) => /\.tsbuildinfo$|\.test\.|^(src|test|experiments)\b/.test(name))).toEqual([]);
  });

  it("type-checks in a project that checks the types of its libraries", async () => {
    const entries = Object.keys(manifest.exports).map((name) => `litheml${name.slice(1)}`);
    expect(entries.length).toBeGreaterThan(10);
    const imports = entries.map((entry, i) => `import * as entry${i} from "${entry}";`);
    const program = [
      ...imports,
      `export const names = [${imports.map((_, i) => `Object.keys(entry${i})`).join(", ")}];`,
    ];
    writeFileSync(join(project, "all.ts"), program.join("\n"));
    const compilerOptions = { module: "nodenext", target: "es2022", strict: true, noEmit: true, skipLibCheck: false };
    writeFileSync(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["all.ts"] }));
    expect(await run(process.execPath, [`${root}node_modules/typescript/bin/tsc`, "-p", "."], project)).toBe("");
  });

  it("answers by both of its names, and accelerates", async () => {
    for (const name of ["litheml", "lithe"]) {
      expect(await npm(["exec", "--offline", "--", name, "--help"], project)).toContain("accelerate");
    }
    const model = join("node_modules", "litheml", "assets", "demo", "glyph-net.onnx");
    const words = ["accelerate", model, "--data", "random", "--budget", "6s", "-o", "out", "--json"];
    const { chosen } = JSON.parse(await npm(["exec", "--offline", "--", "litheml", ...words], project));
    expect(readdirSync(join(project, "out"))).toContain(chosen.file.replace(/^.*[\\/]/, ""));
  });
});
