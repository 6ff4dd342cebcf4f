/** @file Where a search keeps what it has evaluated, so that an interrupted one goes on. */

/** Names tell the candidate, and its fidelity where that is not 1. */
export interface SearchStore<V> {
  load(name: string): Promise<V | undefined>;
  keep(name: string, value: V): Promise<void>;
}

/** In memory, for as long as it is held. */
export function memoryStore<V>(): SearchStore<V> {
  const kept = new Map<string, V>();
  return { load: async (name) => kept.get(name), keep: async (name, value) => void kept.set(name, value) };
}
