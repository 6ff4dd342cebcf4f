/** @file A model from wherever a page has it. */
import { CancelledError, DataError, UsageError } from "../../errors.ts";
import type { Model } from "../../ir/index.ts";
import { decodeModel } from "../../onnx/index.ts";
import { printable } from "../../printable.ts";
import { checkCancelled } from "../run.ts";

/** A model, the bytes of one, a file, or the address of one. Texts are addresses, relative to the page. */
export type ModelSource = Model | Uint8Array | ArrayBuffer | Blob | URL | string;

/** How much of a model has arrived. */
export interface DownloadProgress {
  readonly loaded: number;
  /** Bytes in all; absent where the server does not tell. */
  readonly total?: number;
  /** Whether it comes from the cache. */
  readonly cached: boolean;
}

export interface ReadOptions {
  /** Ends the download. */
  readonly signal?: AbortSignal;
  /** Told as the bytes of an address arrive. */
  readonly onProgress?: (progress: DownloadProgress) => void;
  /**
   * The name of a cache (Cache API) in which what was downloaded is kept and looked for first; without it nothing is kept. What is in it
   * is not compared with the server: give changed models other addresses, or the cache another name.
   */
  readonly cache?: string;
}

/**
 * Reads a model; its bytes are checked as `decodeModel` does.
 *
 * @throws UsageError for what is no model, DataError for a download that fails, FormatError, CancelledError.
 */
export async function readModel(source: ModelSource, options: ReadOptions = {}): Promise<Model> {
  checkCancelled(options.signal);
  if (typeof source === "string" || source instanceof URL) return readAddress(addressOf(source), options);
  if (source instanceof Uint8Array) return decodeModel(source);
  if (source instanceof Blob) return decodeModel(new Uint8Array(await source.arrayBuffer()));
  if (source instanceof ArrayBuffer) return decodeModel(new Uint8Array(source));
  if (typeof source === "object" && source !== null && "graph" in source) return source;
  throw new UsageError("there is no model to open", {
    expected: "the address of an ONNX file, a Blob, an ArrayBuffer, a Uint8Array or a Model",
    got: source === null ? "null" : ArrayBuffer.isView(source) ? "a view of other numbers than bytes" : typeof source,
  });
}

async function readAddress(url: URL, options: ReadOptions): Promise<Model> {
  const cache = options.cache === undefined ? undefined : await openCache(options.cache);
  const kept = await cache?.match(url);
  const bytes = await received(url, kept, options);
  const model = decodeModel(bytes);
  if (cache && !kept) await keep(cache, url, bytes);
  return model;
}

async function received(url: URL, kept: Response | undefined, options: ReadOptions): Promise<Uint8Array<ArrayBuffer>> {
  const { signal, onProgress = () => undefined } = options;
  try {
    const response = kept ?? checkedAnswer(await fetch(url, signal ? { signal } : {}), url);
    return await bytesIn(response, (sizes) => onProgress({ ...sizes, cached: kept !== undefined }));
  } catch (cause) {
    if (signal?.aborted) throw new CancelledError("the download of the model was cancelled", { cause });
    if (cause instanceof DataError) throw cause;
    throw new DataError("the model could not be downloaded", {
      got: cause instanceof Error ? cause.message : String(cause),
      where: url.href,
      hint: "A server of another origin has to allow it (CORS), and the page's Content-Security-Policy in connect-src.",
      cause,
    });
  }
}

function addressOf(address: string | URL): URL {
  try {
    return new URL(address, globalThis.location?.href);
  } catch (cause) {
    throw new UsageError("this is no address of a model", { got: JSON.stringify(String(address)), cause });
  }
}

async function bytesIn(
  response: Response,
  tell: (sizes: Omit<DownloadProgress, "cached">) => void,
): Promise<Uint8Array<ArrayBuffer>> {
  const length = response.headers.get("Content-Encoding") ? null : response.headers.get("Content-Length");
  const total = length === null ? {} : { total: Number(length) };
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let loaded = 0;
  const reader = response.body?.getReader();
  for (let part = await reader?.read(); part && !part.done; part = await reader?.read()) {
    parts.push(part.value);
    loaded += part.value.byteLength;
    tell({ loaded, ...total });
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

/** What does not fit is downloaded again next time. */
async function keep(cache: Cache, url: URL, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
  const headers = { "Content-Length": `${bytes.byteLength}` };
  await cache.put(url, new Response(bytes, { headers })).catch((error: unknown) => {
    console.warn(`litheml: ${printable(url.href)} could not be kept in the cache: ${printable(String(error))}`);
  });
}

function openCache(name: string): Promise<Cache> {
  if (globalThis.caches) return globalThis.caches.open(name);
  throw new UsageError("this page has no caches", {
    got: `cache: ${JSON.stringify(name)}`,
    hint: "Serve it over https, or from localhost.",
  });
}

function checkedAnswer(response: Response, { href: where }: URL): Response {
  const { ok, status, statusText, headers } = response;
  if (!ok) throw new DataError("the server did not send the model", { got: `${status} ${statusText}`.trim(), where });
  if (!headers.get("Content-Type")?.startsWith("text/html")) return response;
  throw new DataError("the server sent a page in the place of the model", {
    got: "text/html",
    where,
    hint: "Servers of single-page applications do so for files that do not exist: look at the address.",
  });
}
