/** @file The reference evaluator behind the `Session` interface. */

import { CancelledError, UnsupportedError } from "../errors.ts";
import { fedInputs, type Model, type Value } from "../ir/index.ts";
import { evaluate } from "../reference/index.ts";
import { checkFeeds } from "./feeds.ts";
import type { OpenSession, Port, Session } from "./session.ts";

/** A session that evaluates in float64 and rounds each result to its dtype. Nothing is held, so release is free. */
export function referenceSession(model: Model): Session {
  const { graph } = model;
  const precision = "declared";
  const inputs = fedInputs(graph).map(portOf);
  return {
    ep: "reference",
    inputs,
    outputs: graph.outputs.map(portOf),
    loadTime: 0,
    async run(feeds, { fetches, signal } = {}) {
      if (signal?.aborted) throw new CancelledError("the run was cancelled", { cause: signal.reason });
      checkFeeds(feeds, inputs);
      return evaluate(model, feeds, fetches ? { fetches, precision } : { precision });
    },
    async time(feeds, rounds) {
      checkFeeds(feeds, inputs);
      const times: number[] = [];
      for (let round = 0; round <= rounds; round++) {
        const start = performance.now();
        evaluate(model, feeds, { precision });
        times.push(performance.now() - start);
      }
      return { firstRun: times[0]!, times: times.slice(1) };
    },
    async profile() {
      throw new UnsupportedError("the reference evaluator does not profile");
    },
    async release() {},
    async [Symbol.asyncDispose]() {},
  };
}

/** `OpenSession` over the reference evaluator. */
export const openReference: OpenSession = async (model) => referenceSession(model);

function portOf({ name, type }: Value): Port {
  if (type?.kind !== "tensor") return { name, dtype: undefined };
  return type.dims ? { name, dtype: type.dtype, dims: type.dims } : { name, dtype: type.dtype };
}
