/** @file What a browser loads must not reach for Node. */
import { posix } from "node:path";
import { expect, it } from "vitest";
import { importsOf, sourcesIn } from "../meta/sources.ts";

const sources = new Map(sourcesIn("src").map((source) => [source.path, source]));

/** Every package and built-in that the imports of `path` lead to, files included in `seen`; lazy ones too if `lazily`. */
function packagesFrom(path: string, seen: Set<string>, lazily: boolean): Set<string> {
  const found = new Set<string>();
  const source = sources.get(path);
  if (!source || seen.has(path)) return found;
  seen.add(path);
  for (const { specifier, typeOnly, lazy } of importsOf(source)) {
    if (typeOnly || (lazy && !lazily)) continue;
    if (!specifier.startsWith(".")) found.add(specifier);
    else for (const name of packagesFrom(posix.join(posix.dirname(path), specifier), seen, lazily)) found.add(name);
  }
  return found;
}

it.each(["src/runtime/web/index.ts", "src/runtime/web/worker-wasm.ts", "src/runtime/web/worker-webgpu.ts"])(
  "%s needs no Node built-in",
  (path) => {
    const seen = new Set<string>();
    const packages = [...packagesFrom(path, seen, true)];
    expect(seen.size).toBeGreaterThan(5);
    expect(packages.filter((name) => name.startsWith("node:"))).toEqual([]);
  },
);

const entries = ["train", "data", "models", "nn", "autodiff", "quantize", "runtime", "onnx", "ir", "passes"];

it.each(entries)("src/%s loads in a page: what belongs to Node comes when it is asked for", (folder) => {
  const seen = new Set<string>();
  const packages = [...packagesFrom(`src/${folder}/index.ts`, seen, false)];
  expect(seen.size).toBeGreaterThan(3);
  expect(packages.filter((name) => name.startsWith("node:") || name.startsWith("onnxruntime-"))).toEqual([]);
});
