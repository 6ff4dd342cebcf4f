/** @file Sends and receives at once, so that no two ranks wait for each other. */
import type { Line, Payload } from "../communicator/communicator.ts";

export async function exchange(line: Line, to: number, data: Payload, from: number): Promise<Uint8Array<ArrayBuffer>> {
  const [received] = await Promise.all([line.receive(from), line.send(to, data)]);
  return received;
}

/** The rank that is so many places away on a ring of all. */
export function around({ rank, size }: Line, distance: number): number {
  return (((rank + distance) % size) + size) % size;
}
