/** @file Bounds of a session's process where none are given: from the machine and from the model. */
import type { TimeLimit } from "../pending-calls.ts";
import type { SessionLimits } from "../session.ts";

/** Milliseconds that any model has for loading and for a run: an honest one takes seconds, an endless one ends within minutes. */
const TIME = 120_000;

/** Bytes of a model that are loaded and optimised in a millisecond on a slow machine. */
const LOADED = 5000;

/** The share of the free memory that one process may take, and the least: the model in the runtime's forms, and room to run. */
const SHARE = 0.8;
const COPIES = 4;
const ROOM = 2 ** 30;

/** @param bytes of the model, external data included. */
export function memoryLimit({ memory }: SessionLimits, bytes: number): number {
  return memory ?? Math.round(Math.max(SHARE * process.availableMemory(), COPIES * bytes + ROOM));
}

export function timeLimit({ time }: SessionLimits, bytes: number): TimeLimit {
  return time === undefined
    ? { load: TIME + bytes / LOADED, run: TIME, grows: true }
    : { load: time, run: time, grows: false };
}
