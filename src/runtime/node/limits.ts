/** @file The bound on the memory of a session's process where none is given: from the machine and from the model. */
import type { SessionLimits } from "../session.ts";

/** The share of the free memory that one process may take, since results come here as well; and the least: the model in the runtime's forms, and room to run. */
const SHARE = 0.6;
const COPIES = 4;
const ROOM = 2 ** 30;

/** @param bytes of the model, external data included. */
export function memoryLimit({ memory }: SessionLimits, bytes: number): number {
  return memory ?? Math.round(Math.max(SHARE * process.availableMemory(), COPIES * bytes + ROOM));
}
