/** @file Feeds sent once, for repeated timing. */
import { nth } from "../checked.ts";
import type { Feeds, HeldFeeds, Session } from "../runtime/index.ts";

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

/** Runs `use` with every input of every session held. */
export async function holdingAll<T>(
  sides: readonly { readonly session: Session; readonly inputs: readonly Feeds[] }[],
  use: (held: readonly (readonly HeldFeeds[])[]) => Promise<T>,
): Promise<T> {
  const all = sides.flatMap(({ session, inputs }, side) => inputs.map((feeds) => ({ session, feeds, side })));
  const held: HeldFeeds[][] = sides.map(() => []);
  const hold = async (position: number): Promise<T> => {
    const next = all[position];
    if (!next) return await use(held);
    return await withHeldFeeds(next.session, next.feeds, (feeds) => {
      nth(held, next.side).push(feeds);
      return hold(position + 1);
    });
  };
  return await hold(0);
}

function travelling(session: Session, feeds: Feeds): HeldFeeds {
  return {
    run: (options) => session.run(feeds, options),
    time: (rounds) => session.time(feeds, rounds),
    drop: () => Promise.resolve(),
  };
}
