/** @file Import directions, as docs/architecture.md states them. */
import { readFileSync } from "node:fs";
import { posix } from "node:path";
import { describe, expect, it } from "vitest";
import { importsOf, root, sourcesIn } from "./sources.ts";

const page = readFileSync(`${root}docs/architecture.md`, "utf8");

/** Folder → folders it may import; a `(types)` entry may be imported as types only. */
const allowed = new Map(
  [...page.matchAll(/^\| `src\/(\w+)\/` *\|[^|]*\| ([^|]*?) *\|$/gm)].map(([, folder, list]) => [
    folder as string,
    new Set((list as string) === "nothing" ? [] : (list as string).split(", ")),
  ]),
);

/** Files that every folder may import. */
const roots = new Set([
  "errors.ts",
  "checked.ts",
  "options.ts",
  "deadline.ts",
  "printable.ts",
  "file-system.ts",
  "atomic-file.ts",
  "folder-lock.ts",
  "process-identity.ts",
  "temporary-folder.ts",
  "built-file.ts",
]);

const sources = sourcesIn("src").filter(({ path }) => path.split("/").length > 2);

describe("architecture", () => {
  it("lists every folder", () => {
    const folders = new Set(sources.map(({ path }) => path.split("/")[1] as string));
    expect([...folders].filter((folder) => !allowed.has(folder))).toEqual([]);
    expect(allowed.size).toBeGreaterThan(8);
  });

  it("has no import against its direction", () => {
    const wrong: string[] = [];
    for (const source of sources) {
      const own = source.path.split("/")[1] as string;
      for (const { specifier, typeOnly } of importsOf(source)) {
        const target = targetOf(source.path, specifier);
        if (target === undefined || target === own || roots.has(target)) continue;
        const folders = allowed.get(own);
        if (folders?.has(target) || (typeOnly && folders?.has(`${target} (types)`))) continue;
        wrong.push(`${source.path} imports ${typeOnly ? "types of " : ""}${target}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  it("allows no direction that nobody takes", () => {
    const taken = new Set(
      sources.flatMap((source) => {
        const own = source.path.split("/")[1] as string;
        return importsOf(source).flatMap(({ specifier, typeOnly }) => {
          const target = targetOf(source.path, specifier);
          return typeOnly ? [`${own}: ${target} (types)`] : [`${own}: ${target}`, `${own}: ${target} (types)`];
        });
      }),
    );
    const stated = [...allowed].flatMap(([own, folders]) => [...folders].map((folder) => `${own}: ${folder}`));
    expect(stated.filter((arrow) => !taken.has(arrow))).toEqual([]);
  });

  it("keeps protobuf in onnx/ and ONNX Runtime in runtime/", () => {
    const wrong = sources.flatMap((source) =>
      importsOf(source)
        .filter(({ specifier }) => /^@bufbuild\//.test(specifier) && !source.path.startsWith("src/onnx/"))
        .concat(
          importsOf(source).filter(
            ({ specifier }) => /^onnxruntime-/.test(specifier) && !source.path.startsWith("src/runtime/"),
          ),
        ),
    );
    expect(wrong).toEqual([]);
  });

  it("has no cycle between files, type-only imports counted", () => {
    expect(cycles(sources.map((source) => [source.path, fileImports(source.path, importsOf(source))]))).toEqual([]);
  });
});

/** The folder of `src/` (or `errors.ts`) that a relative import leads to. */
function targetOf(path: string, specifier: string): string | undefined {
  if (!specifier.startsWith(".")) return undefined;
  const parts = posix.join(posix.dirname(path), specifier).split("/");
  return parts[0] === "src" ? parts[1] : undefined;
}

function fileImports(path: string, imports: readonly { specifier: string }[]): string[] {
  return imports
    .filter(({ specifier }) => specifier.startsWith("."))
    .map(({ specifier }) => posix.join(posix.dirname(path), specifier));
}

/** Strongly connected groups of more than one file; depth first with three colours. */
function cycles(edges: readonly (readonly [string, readonly string[]])[]): string[] {
  const graph = new Map(edges);
  const state = new Map<string, "open" | "done">();
  const found: string[] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    if (state.get(path) === "done") return;
    if (state.get(path) === "open") {
      found.push([...trail.slice(trail.indexOf(path)), path].join(" → "));
      return;
    }
    state.set(path, "open");
    for (const next of graph.get(path) ?? []) visit(next, [...trail, path]);
    state.set(path, "done");
  };
  for (const path of graph.keys()) visit(path, []);
  return found;
}
