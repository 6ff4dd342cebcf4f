/** @file Reading ahead. */

import { checkCount } from "../options.ts";

/**
 * The items of `source` in order, with up to `depth` of them requested before they are asked for. An error surfaces
 * at its place in the sequence; ending the iteration early ends the source.
 */
export async function* prefetch<T>(source: AsyncIterable<T>, depth: number): AsyncGenerator<T> {
  checkCount("the depth of prefetch", depth);
  const iterator = source[Symbol.asyncIterator]();
  const ahead: Promise<IteratorResult<T>>[] = [];
  const request = () => {
    const next = iterator.next();
    next.catch(() => {});
    ahead.push(next);
  };
  try {
    for (let i = 0; i < depth; i++) request();
    for (;;) {
      const result = await ahead.shift()!;
      if (result.done) return;
      request();
      yield result.value;
    }
  } finally {
    await Promise.allSettled(ahead);
    await iterator.return?.();
  }
}
