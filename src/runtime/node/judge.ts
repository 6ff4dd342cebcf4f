/** @file A session in the web build of ONNX Runtime as it ships, in a page of headless Chromium. */
import { createRequire } from "node:module";
import { allGraphs, type DataType, type Model } from "../../ir/index.ts";
import { encodeModel } from "../../onnx/index.ts";
import { splitLargeModel } from "../external-data.ts";
import type { Judge } from "../judge.ts";
import { typesOf } from "../ports.ts";
import type { Channel, End, LoadSpec, Reply } from "../protocol.ts";
import { openRemote } from "../remote-session.ts";
import { firstOfTypes } from "../rules/used-types.ts";
import type { Session } from "../session.ts";
import { bytesOf, timeLimit } from "../time-limit.ts";
import type { Ready } from "../web/judge-page.ts";
import { type Chromium, findChromium, startChromium } from "./chromium.ts";
import { describeHardware } from "./hardware.ts";
import { type JudgeServer, startJudgeServer } from "./judge-server.ts";

/** A GPU, else Chromium's software: enough to judge values, never times. */
const adapters = [["--enable-unsafe-webgpu"], ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"]];

/** Milliseconds for a page to say that it is there. */
const START = 30_000;

/**
 * A page that opens a model as an application without lithe does, with none of lithe's rules, layouts or options; or why there is none.
 *
 * @param model what it is for: an adapter without float16 says nothing of a file that has it
 */
export async function judgeInChromium(model?: Model): Promise<Judge | string> {
  const path = findChromium();
  if (path === undefined) return "no Chromium was found";
  if (!isInstalled()) return "onnxruntime-web is not installed";
  let reason = "";
  for (const flags of adapters) {
    const found = await startPage(path, flags);
    if (typeof found === "string") {
      reason = found;
      continue;
    }
    const { adapter, halves } = found.ready;
    if (halves || !model || !hasHalves(model)) return judgeOn(found);
    await found.channel.close();
    reason = `its adapter ${adapter} has no float16`;
  }
  return reason;
}

function hasHalves({ graph }: Model): boolean {
  const halves: ReadonlySet<DataType> = new Set(["float16"]);
  return [...allGraphs(graph)].some((each) => firstOfTypes(each, halves) !== undefined);
}

function isInstalled(): boolean {
  try {
    return createRequire(import.meta.url).resolve("onnxruntime-web") !== "";
  } catch {
    return false;
  }
}

interface Page {
  readonly ready: Ready;
  readonly channel: Channel;
}

/** The page reads the bytes and the provider alone. */
function specOf(model: Model): LoadSpec {
  const { model: small, external } = splitLargeModel(model);
  const rest = { threads: 1, optimization: "all", profile: false, config: [], cpuNodes: [], resident: [] } as const;
  return { ...rest, model: encodeModel(small), external, ep: "webgpu" };
}

function judgeOn({ ready, channel }: Page): Judge {
  const version = describeHardware().runtimes.get("onnxruntime-web");
  return {
    build: `onnxruntime-web ${version} in Chromium ${ready.browser}, adapter ${ready.adapter}`,
    isPage: true,
    open: (model, step) => openOn(channel, model, step),
    [Symbol.asyncDispose]: () => channel.close(),
  };
}

async function openOn(channel: Channel, model: Model, step: string): Promise<Session> {
  const spec = specOf(model);
  const limit = timeLimit({}, bytesOf(spec));
  return await openRemote(channel, { spec, types: typesOf(model), limit, step });
}

/** A page with an adapter, or why there is none. */
async function startPage(path: string, flags: readonly string[]): Promise<Page | string> {
  let onReply: (reply: Reply) => void = () => undefined;
  let onReady: (ready: Ready) => void = () => undefined;
  const ready = new Promise<Ready>((resolve) => {
    onReady = resolve;
  });
  const server = await startJudgeServer((name, message) => {
    if (name === "ready") onReady(message as Ready);
    else if (name === "reply") onReply(message as Reply);
  });
  const chromium = startChromium(path, server.url, flags);
  const channel = channelOver(server, chromium, (listener) => {
    onReply = listener;
  });
  const first = await firstOf(ready, chromium.ended);
  if ("adapter" in first) return { ready: first, channel };
  await channel.close();
  return "reason" in first ? first.reason : "Chromium has no WebGPU adapter";
}

async function firstOf(ready: Promise<Ready>, ended: Promise<End>): Promise<Ready | End> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<End>((resolve) => {
    timer = setTimeout(() => resolve({ reason: `Chromium showed no page within ${START / 1000} s` }), START);
  });
  const first = await Promise.race([ready, ended, late]);
  clearTimeout(timer);
  return first;
}

function channelOver(
  server: JudgeServer,
  chromium: Chromium,
  listen: (onReply: (reply: Reply) => void) => void,
): Channel {
  let closed = false;
  return {
    post: (request) => server.send(request),
    listen(onReply, onEnd) {
      listen(onReply);
      void chromium.ended.then((end) => closed || onEnd(end));
    },
    busy(busy) {
      server.hold(busy);
      chromium.hold(busy);
    },
    async close() {
      closed = true;
      await chromium.kill();
      server.close();
    },
  };
}
