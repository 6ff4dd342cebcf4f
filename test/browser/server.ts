/** @file A static server for browser tests, as strict as a careful site: isolated, nothing inline, nothing from elsewhere. */
import { createHash } from "node:crypto";
import { createReadStream, existsSync, readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const root = fileURLToPath(new URL("../../", import.meta.url));

const folders: ReadonlyMap<string, string> = new Map([
  ["dist", `${root}dist/`],
  ["src", `${root}dist/`],
  ["zod", `${root}node_modules/zod/`],
  ["ort", `${root}node_modules/onnxruntime-web/dist/`],
  ["protobuf", `${root}node_modules/@bufbuild/protobuf/dist/esm/`],
]);

const types: ReadonlyMap<string, string> = new Map([
  [".js", "text/javascript"],
  [".mjs", "text/javascript"],
  [".wasm", "application/wasm"],
  [".html", "text/html"],
]);

const imports = JSON.stringify({
  imports: {
    "@bufbuild/protobuf": "/protobuf/index.js",
    "@bufbuild/protobuf/codegenv2": "/protobuf/codegenv2/index.js",
    "@bufbuild/protobuf/wire": "/protobuf/wire/index.js",
    zod: "/zod/index.js",
  },
});
const entry = 'import * as lithe from "/dist/runtime/web/index.js"; globalThis.lithe = lithe;';
const trainingEntry =
  'import * as tasks from "/test/browser/tasks.js"; import * as open from "/test/browser/open.js"; globalThis.tasks = { ...tasks, ...open };';
const page = (script: string) =>
  `<!doctype html><meta charset="utf-8"><script type="importmap">${imports}</script><script type="module" src="${script}"></script>`;

/** What is asked for below this address is never answered. */
export const UNANSWERED = "/unanswered/";

/** Pages that have no file. */
const made: ReadonlyMap<string, readonly [type: string, text: string]> = new Map([
  ["/", ["text/html", page("/entry.js")]],
  ["/entry.js", ["text/javascript", entry]],
  ["/training", ["text/html", page("/training.js")]],
  ["/training.js", ["text/javascript", trainingEntry]],
]);
const hash = createHash("sha256").update(imports).digest("base64");

const headers = {
  "Content-Security-Policy": `default-src 'self'; script-src 'self' 'wasm-unsafe-eval' 'sha256-${hash}'; worker-src 'self'; base-uri 'none'`,
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Cross-Origin-Resource-Policy": "same-origin",
  "X-Content-Type-Options": "nosniff",
};

export interface TestServer extends AsyncDisposable {
  readonly url: string;
}

/** @param more folders by the first part of their addresses. */
export async function startServer(more: ReadonlyMap<string, string> = new Map()): Promise<TestServer> {
  const served = new Map([...folders, ...more]);
  const server = createServer(({ url = "/" }, response) => {
    const { pathname } = new URL(url, "http://localhost");
    if (pathname.startsWith(UNANSWERED)) return;
    const text = made.get(pathname) ?? transpiled(pathname);
    if (text) return response.writeHead(200, { ...headers, "Content-Type": text[0] }).end(text[1]);
    const path = fileOf(served, pathname);
    if (path === undefined) return response.writeHead(404, headers).end();
    const type = types.get(extname(path)) ?? "application/octet-stream";
    response.writeHead(200, { ...headers, "Content-Type": type, "Content-Length": statSync(path).size });
    return createReadStream(path).pipe(response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A file of the tests as a browser reads it; its imports of `src` lead to the build. */
function transpiled(pathname: string): readonly [type: string, text: string] | undefined {
  const path = `${root}${normalize(pathname).slice(1).replace(/\.js$/, ".ts")}`;
  if (!/^\/test\/.*\.js$/.test(normalize(pathname)) || !existsSync(path)) return undefined;
  const { outputText } = ts.transpileModule(readFileSync(path, "utf8"), {
    compilerOptions: {
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.ESNext,
      rewriteRelativeImportExtensions: true,
    },
  });
  return ["text/javascript", outputText];
}

function fileOf(served: ReadonlyMap<string, string>, pathname: string): string | undefined {
  const [, top = "", ...rest] = normalize(pathname).split("/");
  const folder = served.get(top);
  const path = folder && folder + rest.join("/");
  return path && existsSync(path) && statSync(path).isFile() ? path : undefined;
}
