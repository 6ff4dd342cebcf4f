/** @file The way out where the runtime fails on inputs that a command made up. */
import { RuntimeError } from "../errors.ts";
import type { DataOptions } from "./options.ts";

/** What the runtime refused; with a hint at `--data` in a command that takes data and was given none, or random ones. */
export function withDataHint(error: unknown, { data = "random", calibrationSamples }: Partial<DataOptions>): unknown {
  if (!(error instanceof RuntimeError) || data !== "random" || calibrationSamples === undefined) return error;
  const { expected, got, where, hint } = error;
  const advice = "The inputs were random: if the model cannot take such, give real ones with --data.";
  return new RuntimeError("the runtime failed on random inputs", {
    ...(expected !== undefined && { expected }),
    ...(got !== undefined && { got }),
    ...(where !== undefined && { where }),
    hint: hint === undefined ? advice : `${hint} ${advice}`,
    cause: error,
  });
}
