/** @file The beginning of a sequence that is read as it goes. */

/** The first `count` items, of which there is at least one; the next is not asked for. */
export async function* firstOf<T>(items: AsyncIterable<T>, count: number): AsyncGenerator<T> {
  let left = count;
  for await (const item of items) {
    yield item;
    if (--left === 0) return;
  }
}
