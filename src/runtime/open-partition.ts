/** @file Opens a partition on whatever platform this is. */
import { UnsupportedError } from "../errors.ts";
import { checkOptions } from "../options.ts";
import type { Partition } from "./partition.ts";
import { isNode } from "./platform.ts";
import type { Session, SessionOptions } from "./session.ts";
import { sessionOptionNames } from "./session-option-names.ts";

/**
 * A partition as one session: every rank is a thread, of one process for all, with `options.threads` threads, loads its parts once, and adds
 * up with the others in shared memory, in an order that does not depend on time. A run costs one message to each rank.
 * When a rank ends, all calls fail with RuntimeError.
 *
 * @throws InvalidModelError for a partition in which a rank lacks what it needs, UnsupportedError in a browser, for a
 * profile or the `webgpu` provider, and as `openSession` does.
 */
export async function openPartition(partition: Partition, options: SessionOptions = {}): Promise<Session> {
  checkOptions(options, sessionOptionNames);
  if (!isNode) throw new UnsupportedError("a partition needs the worker threads of Node");
  const { openPartition: open } = await import("./node/group.ts");
  return open(partition, options);
}

/** Opens a partition; techniques receive it as a parameter. */
export type OpenPartition = typeof openPartition;
