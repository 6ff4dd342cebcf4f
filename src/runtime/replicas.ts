/** @file Further sessions of a model that is timed: two sessions of one model differ, and how much cannot be seen in one. */
import type { Model } from "../ir/index.ts";
import { checkOptions } from "../options.ts";
import type { OpenSession, Session, SessionOptions } from "./session.ts";
import { sessionOptionNames } from "./session-option-names.ts";

/** Further sessions of a model, and its bytes up to which there is room for them. */
const COUNT = 2;
const LARGEST = 2 ** 27;

/** Released when disposed of. */
export interface Replicas extends AsyncDisposable {
  readonly sessions: readonly Session[];
}

/** Replicas for `raceLatency` and `compareSessions`, of a model of so many bytes; none of a large one. */
export async function openReplicas(
  open: OpenSession,
  model: Model,
  bytes: number,
  options: SessionOptions,
): Promise<Replicas> {
  checkOptions(options, sessionOptionNames);
  const sessions: Session[] = [];
  const release = async (): Promise<void> => {
    await Promise.all(sessions.map((session) => session.release()));
  };
  try {
    while (bytes <= LARGEST && sessions.length < COUNT) {
      sessions.push(await open(model, { step: "opening a further session", ...options }));
    }
  } catch (error) {
    await release();
    throw error;
  }
  return { sessions, [Symbol.asyncDispose]: release };
}
