/** @file State that goes from run to run. */
import type { Tensor } from "../ir/index.ts";
import type { Feeds, ResidentState, Session } from "./session.ts";

/** Keeps state next to the runtime where the session can do that, and carries it from run to run where it cannot. */
export async function resideIn(
  session: Session,
  state: Feeds,
  next: ReadonlyMap<string, string>,
): Promise<ResidentState> {
  return session.reside ? session.reside(state, next) : travelling(session, state, next);
}

function travelling(session: Session, state: Feeds, next: ReadonlyMap<string, string>): ResidentState {
  const held = new Map(state);
  return {
    async advance(batches, options = {}) {
      const answers: Map<string, Tensor>[] = [];
      const fetches = options.fetches ?? session.outputs.map(({ name }) => name);
      for (const batch of batches) {
        const wanted = [...new Set([...fetches, ...next.values()])];
        const results = await session.run(new Map([...held, ...batch]), { ...options, fetches: wanted });
        for (const [input, output] of next) held.set(input, results.get(output)!);
        answers.push(new Map(fetches.map((name) => [name, results.get(name)!])));
      }
      return answers;
    },
    read: async (names = [...held.keys()]) => new Map(names.map((name) => [name, held.get(name)!])),
    drop: async () => held.clear(),
  };
}
