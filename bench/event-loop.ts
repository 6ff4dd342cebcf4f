/**
 * @file How long the main thread stands still while a session runs: the longest gap between ticks of a 1 ms timer, beside
 * the same for the bare runtime.
 * `npm run build && node --import ./scripts/typescript.mjs bench/event-loop.ts [SECONDS] [MODEL.onnx]`
 */
import { readFileSync } from "node:fs";
import { longestGap } from "../experiments/longest-gap.ts";
import { type Feeds, openSession, type Session } from "../src/runtime/index.ts";
import { loopFeeds, loopModel } from "../test/models.ts";
import { rawFeeds, rawSession } from "../test/raw-runtime.ts";

const [seconds = "3", path] = process.argv.slice(2);
const LIMIT_MS = 50;

async function repeat(run: () => Promise<unknown>): Promise<void> {
  const end = performance.now() + 1000 * Number(seconds);
  while (performance.now() < end) await run();
}

/** Ones for every input; symbolic dims are 1. */
function ones(session: Session): Feeds {
  const feeds = session.inputs.map(({ name, dims = [] }) => {
    const known = dims.map((dim) => (typeof dim === "number" ? dim : 1));
    const values = new Float32Array(known.reduce((product, dim) => product * dim, 1)).fill(1);
    return [name, { dtype: "float32" as const, dims: known, data: new Uint8Array(values.buffer) }] as const;
  });
  return new Map(feeds);
}

const model = path === undefined ? loopModel() : new Uint8Array(readFileSync(path));
await using session = await openSession(model, { threads: 2 });
const feeds = path === undefined ? loopFeeds(2000) : ones(session);
const gap = await longestGap(() => repeat(() => session.run(feeds)));
console.log(`longest stand-still with a session:      ${gap.toFixed(1)} ms (limit ${LIMIT_MS} ms)`);

const bare = await rawSession(loopModel());
const bareGap = await longestGap(async () => void (await bare.run(rawFeeds(loopFeeds(2000)))));
await bare.release();
console.log(`longest stand-still with the bare runtime: ${bareGap.toFixed(1)} ms`);
process.exitCode = gap <= LIMIT_MS ? 0 : 1;
