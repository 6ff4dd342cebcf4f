/** @file Serves one page to one browser on this machine: the page, the runtime's files, and the messages of a session. */
import { randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { builtFile } from "../../built-file.ts";
import { pack, unpack } from "../packing.ts";

export interface JudgeServer {
  readonly url: string;
  /** Hands a message to the page. */
  send(message: unknown): void;
  hold(held: boolean): void;
  close(): void;
}

/** Nothing of a model is ever part of it. */
const page =
  '<!doctype html><meta charset="utf-8"><title>litheml</title><script type="module" src="lithe/runtime/web/judge-page.js"></script>';

const headers = {
  "Content-Security-Policy": "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'",
  "Cross-Origin-Resource-Policy": "same-origin",
  "X-Content-Type-Options": "nosniff",
  "Referrer-Policy": "no-referrer",
  "Cache-Control": "no-store",
};

/** @param onMessage hears what the page posts to `path`. */
export async function startJudgeServer(onMessage: (path: string, message: unknown) => void): Promise<JudgeServer> {
  const root = `/${randomBytes(16).toString("hex")}/`;
  const queue: unknown[] = [];
  let waiting: ServerResponse | undefined;
  let origin = "";
  const flush = (): void => {
    if (!waiting || queue.length === 0) return;
    const response = waiting.writeHead(200, { ...headers, "Content-Type": "application/octet-stream" });
    waiting = undefined;
    for (const piece of pack(queue.shift())) response.write(piece);
    response.end();
  };
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? "/", origin);
    if (!isFromPage(request, origin) || !pathname.startsWith(root)) return response.writeHead(404, headers).end();
    const path = pathname.slice(root.length);
    if (request.method === "POST") return void receive(request, response, (message) => onMessage(path, message));
    if (path !== "next") return serveFile(path, response);
    waiting = response;
    return flush();
  });
  server.requestTimeout = 0;
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const sockets = new Set<{ ref(): void; unref(): void }>();
  let isHeld = true;
  server.on("connection", (socket) => {
    sockets.add(socket.on("close", () => sockets.delete(socket)));
    if (!isHeld) socket.unref();
  });
  return {
    url: origin + root,
    send(message) {
      queue.push(message);
      flush();
    },
    hold(held) {
      isHeld = held;
      for (const each of [server, ...sockets]) held ? each.ref() : each.unref();
    },
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** Another site's script reaches this port too, but under its own name, or by a name that was made to lead here. */
function isFromPage({ method, headers: given }: IncomingMessage, origin: string): boolean {
  if (`http://${given.host}` !== origin) return false;
  return method === "POST" ? given.origin === origin : given.origin === undefined || given.origin === origin;
}

async function receive(request: IncomingMessage, response: ServerResponse, take: (message: unknown) => void) {
  const chunks: Buffer[] = [];
  let message: unknown;
  try {
    for await (const chunk of request) chunks.push(chunk);
    message = unpack(Buffer.concat(chunks));
  } catch {
    // The browser has ended, or says what no page of ours says; what is awaited ends with its time.
    return void response.destroy();
  }
  response.writeHead(204, headers).end();
  take(message);
}

const folders: ReadonlyMap<string, { readonly names: RegExp; folder(): string }> = new Map([
  [
    "lithe",
    { names: /^[a-z0-9-]+(\/[a-z0-9-]+)*\.js$/, folder: () => builtFile(import.meta.url, "../../").replace(/\/$/, "") },
  ],
  [
    "ort",
    {
      names: /^ort[a-z0-9.-]*\.(mjs|wasm)$/,
      folder: () => dirname(createRequire(import.meta.url).resolve("onnxruntime-web")),
    },
  ],
]);

function serveFile(path: string, response: ServerResponse): ServerResponse {
  if (path === "") return response.writeHead(200, { ...headers, "Content-Type": "text/html" }).end(page);
  const slash = path.indexOf("/");
  const [top, rest] = [path.slice(0, slash), path.slice(slash + 1)];
  const found = folders.get(top);
  if (!found?.names.test(rest)) return response.writeHead(404, headers).end();
  const type = rest.endsWith(".wasm") ? "application/wasm" : "text/javascript";
  const stream = createReadStream(join(found.folder(), rest));
  stream.on("error", () => response.writeHead(404, headers).end());
  stream.once("open", () => stream.pipe(response.writeHead(200, { ...headers, "Content-Type": type })));
  return response;
}
