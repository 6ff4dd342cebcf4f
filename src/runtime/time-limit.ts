/** @file The bound on the time of a session's calls: the one that was given, or one from the model. */
import type { TimeLimit } from "./pending-calls.ts";
import type { LoadSpec } from "./protocol.ts";
import type { SessionLimits } from "./session.ts";

/** Milliseconds that any model has for loading and for a run: an honest one takes seconds, an endless one ends within minutes. */
const TIME = 120_000;

/** Bytes of a model that are loaded and optimised in a millisecond on a slow machine. */
const LOADED = 5000;

/** @param bytes of the model, external data included. */
export function timeLimit({ time }: SessionLimits, bytes: number): TimeLimit {
  return time === undefined
    ? { load: TIME + bytes / LOADED, run: TIME, grows: true }
    : { load: time, run: time, grows: false };
}

export function bytesOf({ model, external }: Pick<LoadSpec, "model" | "external">): number {
  return external.reduce((sum, { data }) => sum + data.byteLength, model.byteLength);
}
