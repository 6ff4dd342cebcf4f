/** @file How passes compute constants: one run of the real runtime. */
import { byteLength, type Model, sizeOf } from "../ir/index.ts";
import type { Evaluate } from "../rewrite/index.ts";
import type { OpenSession } from "../runtime/index.ts";

/** Milliseconds and bytes for constants: what takes more is no constant worth storing. */
const TIME = 10_000;
const MEMORY = 2 ** 30;

/** How often the constants are in memory while others are made of them. */
const COPIES = 4;

/** Evaluates in a session of its own, unoptimised, so that what is folded is what the nodes say. */
export function evaluateWith(open: OpenSession): Evaluate {
  return async (model, feeds) => {
    const limits = { time: TIME, memory: MEMORY + COPIES * constantBytes(model) };
    await using session = await open(model, { optimization: "disabled", step: "folding constants", limits });
    return await session.run(feeds);
  };
}

function constantBytes({ graph }: Model): number {
  let bytes = 0;
  for (const stored of graph.initializers.values()) {
    if ("dtype" in stored) bytes += byteLength(stored.dtype, sizeOf(stored.dims));
  }
  return bytes;
}
