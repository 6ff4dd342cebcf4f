/** @file All-to-all: every rank has a message for each. */
import { nth } from "../../checked.ts";
import { UsageError } from "../../errors.ts";
import type { Line, Payload } from "../communicator/communicator.ts";
import { copied } from "../communicator/copied.ts";
import { around, exchange } from "./exchange.ts";

/** Sends the i-th message to rank i, and returns what the i-th rank had for this one. Messages may differ in length. */
export async function allToAll(line: Line, messages: readonly Payload[]): Promise<Uint8Array<ArrayBuffer>[]> {
  if (messages.length !== line.size) {
    throw new UsageError("there is one message for each rank", {
      expected: String(line.size),
      got: String(messages.length),
    });
  }
  const kept = copied(nth(messages, line.rank));
  const received = Array.from({ length: line.size }, () => kept);
  for (let step = 1; step < line.size; step++) {
    const [to, from] = [around(line, step), around(line, -step)];
    received[from] = await exchange(line, to, nth(messages, to), from);
  }
  return received;
}
