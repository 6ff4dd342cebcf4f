/** @file How passes compute constants: one run of the real runtime. */
import type { Evaluate } from "../rewrite/index.ts";
import type { OpenSession } from "../runtime/index.ts";

/** Evaluates in a session of its own, unoptimised, so that what is folded is what the nodes say. */
export function evaluateWith(open: OpenSession): Evaluate {
  return async (model, feeds) => {
    await using session = await open(model, { optimization: "disabled" });
    return await session.run(feeds);
  };
}
