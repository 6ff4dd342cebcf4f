/** @file An application of lithe in a project of its own, built by three bundlers as their pages say. */
import { copyFileSync, mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as esbuild from "esbuild";
import * as vite from "vite";
import webpack from "webpack";
import { root } from "../meta/sources.ts";

const source = `
import * as lithe from "litheml";
import * as ir from "litheml/ir";
import * as train from "litheml/train";
import * as data from "litheml/data";
import * as web from "litheml/web";
globalThis.app = { lithe, ir, train, data, web };
`;

const wasm = "ort-wasm-simd-threaded.wasm";
const page = '<!doctype html><meta charset="utf-8"><script type="module" src="./main.js"></script>';

/** A project that depends on this checkout. */
export function makeProject(): string {
  const project = mkdtempSync(join(tmpdir(), "lithe-bundles-"));
  mkdirSync(join(project, "node_modules"));
  symlinkSync(root, join(project, "node_modules", "litheml"));
  writeFileSync(join(project, "main.js"), source);
  writeFileSync(join(project, "index.html"), page);
  return project;
}

/** Builds into a folder of the project and returns what the bundler had to say. */
type Build = (project: string, folder: string) => Promise<string[]>;

export const bundlers = {
  /** Its defaults for production; the note that chunks are large is about what the test imports at once, that on timings about the machine. */
  async vite(project, folder) {
    const said: string[] = [];
    await vite.build({
      root: project,
      configFile: false,
      base: "./",
      customLogger: {
        ...vite.createLogger("silent"),
        warn: (text) => said.push(text),
        error: (text) => said.push(text),
      },
      build: {
        outDir: folder,
        chunkSizeWarningLimit: 10_000,
        rolldownOptions: { checks: { pluginTimings: false } },
      },
    });
    return said;
  },

  /** Workers are entries of their own, and the wasm file is copied beside them. */
  async esbuild(project, folder) {
    const { warnings, errors } = await esbuild.build({
      absWorkingDir: project,
      entryPoints: { main: "main.js", "worker-wasm": "litheml/web/worker-wasm" },
      bundle: true,
      minify: true,
      format: "esm",
      outdir: folder,
      logLevel: "silent",
    });
    writeFileSync(join(folder, "index.html"), page);
    copyFileSync(`${root}node_modules/onnxruntime-web/dist/${wasm}`, join(folder, wasm));
    return [...warnings, ...errors].map(({ text }) => text);
  },

  /** Not minified, which takes half a minute; hints of the size of assets would be about the wasm files. */
  async webpack(project, folder) {
    const compiler = webpack({
      mode: "production",
      context: project,
      entry: "./main.js",
      output: { path: folder, filename: "main.js" },
      optimization: { minimize: false },
      performance: { hints: false },
    });
    const said = await new Promise<string[]>((resolve, reject) => {
      compiler.run((error, stats) => {
        if (error || !stats) return reject(error);
        const { warnings = [], errors = [] } = stats.toJson({ all: false, warnings: true, errors: true });
        resolve([...warnings, ...errors].map(({ message }) => message));
      });
    });
    writeFileSync(join(folder, "index.html"), page);
    return said;
  },
} satisfies Record<string, Build>;
