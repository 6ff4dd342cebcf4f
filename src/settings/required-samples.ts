/** @file Options that cannot be without samples of the user's own. */
import { UsageError } from "../errors.ts";

/** Samples are never made up for what an option chooses or learns by them; `option` is the one that asks, if any. */
export function requireSamplesFor(option: string | undefined, data: string | undefined): void {
  const isGiven = data !== undefined && data !== "random";
  if (isGiven || option === undefined) return;
  throw new UsageError(`${option} needs data`, { expected: "--data PATH", got: data ?? "none" });
}
