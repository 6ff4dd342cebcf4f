/** @file Several maps in one, each under a prefix of its own. */

/** The entries with a prefix before their names. */
export function prefixed<T>(prefix: string, all: ReadonlyMap<string, T>): [string, T][] {
  return [...all].map(([name, value]) => [prefix + name, value]);
}

/** The entries whose names begin with the prefix, without it. */
export function under<T>(prefix: string, all: ReadonlyMap<string, T>): Map<string, T> {
  const own = [...all].filter(([name]) => name.startsWith(prefix));
  return new Map(own.map(([name, value]) => [name.slice(prefix.length), value]));
}
