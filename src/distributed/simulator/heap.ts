/** @file A binary heap of numbers by an order of their own. */

export interface Heap {
  readonly size: number;
  /** The first; `undefined` when there is none. */
  peek(): number | undefined;
  push(item: number): void;
  pop(): number | undefined;
}

/** The first is one that no other `isBefore`. */
export function heapBy(isBefore: (a: number, b: number) => boolean): Heap {
  const items: number[] = [];
  const at = (i: number): number => items[i] ?? 0;
  const swap = (i: number, j: number): void => {
    const kept = at(i);
    items[i] = at(j);
    items[j] = kept;
  };
  const rise = (start: number): void => {
    for (let i = start; i > 0; ) {
      const parent = (i - 1) >> 1;
      if (!isBefore(at(i), at(parent))) return;
      swap(i, parent);
      i = parent;
    }
  };
  const sink = (): void => {
    for (let i = 0; ; ) {
      let first = i;
      for (const child of [2 * i + 1, 2 * i + 2]) {
        if (child < items.length && isBefore(at(child), at(first))) first = child;
      }
      if (first === i) return;
      swap(i, first);
      i = first;
    }
  };
  return {
    get size() {
      return items.length;
    },
    peek: () => items[0],
    push(item) {
      items.push(item);
      rise(items.length - 1);
    },
    pop() {
      const first = items[0];
      const last = items.pop();
      if (last !== undefined && items.length > 0) {
        items[0] = last;
        sink();
      }
      return first;
    },
  };
}
