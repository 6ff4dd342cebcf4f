/** @file The way out where the runtime fails on inputs that a command made up. */
import { RuntimeError } from "../errors.ts";
import type { Parsed } from "./arguments.ts";

/** What the runtime refused; with a hint at `--data` where inputs were random. */
export function withDataHint(error: unknown, { isRandom }: Pick<Parsed, "isRandom">): unknown {
  if (!(error instanceof RuntimeError) || !isRandom) return error;
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
