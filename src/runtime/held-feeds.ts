/** @file Feeds sent once, for repeated timing. */
import type { Feeds, HeldFeeds, Session } from "./session.ts";

/** Runs `use` with the feeds held next to the runtime, where the session can do that. */
export async function withHeldFeeds<T>(
  session: Session,
  feeds: Feeds,
  use: (held: HeldFeeds) => Promise<T>,
): Promise<T> {
  const held = session.hold ? await session.hold(feeds) : travelling(session, feeds);
  try {
    return await use(held);
  } finally {
    await held.drop().catch(() => undefined);
  }
}

function travelling(session: Session, feeds: Feeds): HeldFeeds {
  return {
    run: (options) => session.run(feeds, options),
    time: (rounds) => session.time(feeds, rounds),
    drop: () => Promise.resolve(),
  };
}
