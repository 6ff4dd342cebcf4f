/// <reference lib="esnext.disposable" preserve="true" />
/** @file Which build says whether a model is right on a provider: the one that will run it, where this machine has it. */
import type { Model } from "../ir/index.ts";
import { runtimeBuild } from "./describe-hardware.ts";
import type { Judge, Judged } from "./judge.ts";
import { openSession } from "./open.ts";
import { isNode } from "./platform.ts";
import type { ExecutionProvider, OpenSession, Session } from "./session.ts";

/**
 * `webgpu` is deployed in pages: the web build in headless Chromium judges it, where both are installed (`CHROMIUM_PATH` names a
 * browser, and none when it is empty). Everything else is judged by the build that sessions run on here.
 *
 * @param open how sessions are opened; with any but `openSession` no page is.
 * @param model what is to be judged; a page whose adapter has no float16 is none for one in float16.
 */
export async function judgeOf(ep: ExecutionProvider, open: OpenSession = openSession, model?: Model): Promise<Judge> {
  const isWanted = ep === "webgpu" && isNode && open === openSession;
  const page = isWanted ? await (await import("./node/judge.ts")).judgeInChromium(model) : undefined;
  if (typeof page === "object") return page;
  const build = await runtimeBuild(ep);
  return {
    build: page === undefined ? build : `${build}, not the web build: ${page}`,
    isPage: false,
    open: (tried, step) => open(tried, { ep, threads: 1, stock: true, step }),
    [Symbol.asyncDispose]: async () => undefined,
  };
}

/**
 * `model` in the page that judges the provider of `session`, where there is one; else, and without a model, the session itself, which
 * stays the caller's to release.
 *
 * @throws RuntimeError where the page cannot load the model
 */
export async function judged(session: Session, model: Model | undefined, step: string): Promise<Judged> {
  const own = { session, [Symbol.asyncDispose]: async () => undefined };
  if (session.ep === "reference") return { ...own, build: "the reference evaluator" };
  if (model === undefined) return { ...own, build: await runtimeBuild(session.ep) };
  const { build, isPage, open } = await judgeOf(session.ep, openSession, model);
  if (!isPage) return { ...own, build };
  const page = await open(model, `${step} in ${build}`);
  return { session: page, build, [Symbol.asyncDispose]: () => page.release() };
}
