/** @file No memory: what is not sent is lost. For unbiased compressors, whose errors have a mean of zero. */
import { nothingKept } from "../exchange/slots.ts";
import type { Memory } from "./memory.ts";

export function noMemory(): Memory {
  return { name: "none", compensate: (gradient) => gradient, update() {}, ...nothingKept };
}
