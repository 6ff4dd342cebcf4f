/** @file Memory that nothing holds any more, given back at once. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/**
 * Frees a model that was let go of before others take memory in the runtime. V8 collects when its own heap grows, which the weights are
 * no part of.
 */
export function collectGarbage(): void {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
}
