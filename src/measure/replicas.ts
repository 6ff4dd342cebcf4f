/** @file Further sessions of a model that is timed: two sessions of one model differ, and how much cannot be seen in one. */
import { atLeast } from "../checked.ts";
import type { Model } from "../ir/index.ts";
import { checkOptions } from "../options.ts";
import { type OpenSession, type Session, type SessionOptions, sessionOptionNames } from "../runtime/index.ts";

/** Further sessions of a model, and its bytes up to which there is room for them. */
const COUNT = 2;
const LARGEST = 2 ** 27;

/** Released when disposed of. */
export interface Replicas extends AsyncDisposable {
  readonly sessions: readonly Session[];
}

/** A session and its replicas, released together when disposed of. */
export interface Replicated extends AsyncDisposable {
  readonly session: Session;
  readonly replicas: readonly Session[];
}

/** Replicas for `raceLatency` and `compareSessions`, of a model of so many bytes; none of a large one. */
export async function openReplicas(
  open: OpenSession,
  model: Model,
  bytes: number,
  options: SessionOptions,
): Promise<Replicas> {
  checkOptions(options, sessionOptionNames);
  const sessions = await openAll(open, model, countOf(bytes), options);
  return { sessions, [Symbol.asyncDispose]: () => releaseAll(sessions) };
}

/** A model of so many bytes in a session, and with `openReplicas` in more. */
export async function openReplicated(
  open: OpenSession,
  model: Model,
  bytes: number,
  options: SessionOptions,
): Promise<Replicated> {
  checkOptions(options, sessionOptionNames);
  const sessions = await openAll(open, model, 1 + countOf(bytes), options);
  const [session, ...replicas] = atLeast(sessions, 1);
  return { session: session, replicas, [Symbol.asyncDispose]: () => releaseAll(sessions) };
}

function countOf(bytes: number): number {
  return bytes <= LARGEST ? COUNT : 0;
}

/** None stays open where one cannot be opened. */
async function openAll(open: OpenSession, model: Model, count: number, options: SessionOptions): Promise<Session[]> {
  const sessions: Session[] = [];
  try {
    while (sessions.length < count) sessions.push(await open(model, options));
    return sessions;
  } catch (error) {
    await releaseAll(sessions);
    throw error;
  }
}

async function releaseAll(sessions: readonly Session[]): Promise<void> {
  await Promise.all(sessions.map((session) => session.release()));
}
