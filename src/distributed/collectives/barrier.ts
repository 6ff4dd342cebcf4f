/** @file Barrier: no rank goes on before all have come. */
import type { Line } from "../communicator/communicator.ts";
import { around, exchange } from "./exchange.ts";

/** In ⌈log₂ N⌉ rounds of empty messages (Hensgen, Finkel, Manber 1988). */
export async function barrier(line: Line): Promise<void> {
  for (let step = 1; step < line.size; step *= 2) {
    await exchange(line, around(line, step), new Uint8Array(0), around(line, -step));
  }
}
