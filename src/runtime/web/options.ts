/** @file Options of a session in a page: what all sessions take, and what only pages need. */
import { UnsupportedError, UsageError } from "../../errors.ts";
import { checkCount, checkOptions, type OptionNames } from "../../options.ts";
import { type ResolvedOptions, resolveOptions } from "../options.ts";
import type { ExecutionProvider, SessionOptions } from "../session.ts";
import { sessionOptionNames } from "../session-option-names.ts";
import type { ReadOptions } from "./source.ts";

/** Where a page runs models. */
export type WebProvider = "webgpu" | "wasm";

export interface WebSessionOptions extends Omit<SessionOptions, "ep">, ReadOptions {
  /**
   * The provider, by default `wasm`; or several in the order in which they are tried: the first that the page has and that loads the model is
   * taken, and `passedOver` of the session says what was not, and why.
   */
  readonly ep?: ExecutionProvider | readonly WebProvider[];
  /** Milliseconds in which the worker and the runtime have to be ready, downloads of them included; by default a minute. */
  readonly startLimit?: number;
}

const webOptionNames: OptionNames<WebSessionOptions> = {
  ...sessionOptionNames,
  signal: true,
  onProgress: true,
  cache: true,
  startLimit: true,
};

/** Milliseconds for 30 MB on a slow line. */
const START = 60_000;

/** Everything a page knows before it has the model: one target for each provider, in order. */
export interface ResolvedWebOptions {
  readonly targets: readonly (ResolvedOptions & { readonly ep: WebProvider })[];
  readonly read: ReadOptions;
  readonly startLimit: number;
}

/** @throws UsageError for unknown options and values, UnsupportedError for what no page can do. */
export function resolveWebOptions(options: WebSessionOptions): ResolvedWebOptions {
  const {
    ep = "wasm",
    signal,
    onProgress,
    cache,
    startLimit = START,
    assets,
    ...rest
  } = checkOptions(options, webOptionNames);
  checkCount("startLimit", startLimit);
  const providers = typeof ep === "string" ? [ep] : ep;
  if (providers.length === 0) throw new UsageError("there is no provider to try", { expected: '"webgpu", "wasm"' });
  const folder = assets === undefined ? {} : { assets: folderOf(assets) };
  return {
    targets: providers.map((provider) => inPage(resolveOptions({ ...rest, ...folder, ep: provider }))),
    read: { ...(signal && { signal }), ...(onProgress && { onProgress }), ...(cache !== undefined && { cache }) },
    startLimit,
  };
}

/** The address of a folder as such, with or without its last slash, relative to the page. */
function folderOf(assets: string): string {
  const { href } = new URL(assets, globalThis.location?.href);
  return href.endsWith("/") ? href : `${href}/`;
}

function inPage(resolved: ResolvedOptions): ResolvedOptions & { readonly ep: WebProvider } {
  const { ep, isolate, limits, threads, profile } = resolved;
  if (ep === "cpu") throw new UnsupportedError('a browser has no "cpu" provider', { expected: '"wasm" or "webgpu"' });
  if (isolate === "process") throw new UnsupportedError("a browser has no processes to isolate sessions in");
  if (limits.memory !== undefined) throw new UnsupportedError("the memory of a browser's worker has no limit");
  if (profile) throw new UnsupportedError("the web build of the runtime writes no profile");
  if (threads > 1 && !globalThis.crossOriginIsolated) {
    throw new UnsupportedError("several threads need a cross-origin isolated page", {
      got: `${threads} threads`,
      hint: "Serve it with Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp.",
    });
  }
  return { ...resolved, ep };
}
