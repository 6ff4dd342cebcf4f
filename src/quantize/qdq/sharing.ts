/** @file Layers that read equal weights in the same way: what is done to the weights of one is done to those of all. */
import { type Tensor, tensorIndex } from "../../ir/index.ts";

/** The items that have equal tensors and equal keys, itself included, for each item. */
export function sharedBy<T>(
  items: Iterable<T>,
  tensorOf: (item: T) => Tensor,
  keyOf: (item: T) => string,
): ReadonlyMap<T, readonly T[]> {
  const byTensor = tensorIndex<Map<string, T[]>>();
  const groups = new Map<T, readonly T[]>();
  for (const item of items) {
    const tensor = tensorOf(item);
    const byKey = byTensor.get(tensor) ?? new Map<string, T[]>();
    byTensor.set(tensor, byKey);
    const key = keyOf(item);
    const group = byKey.get(key) ?? [];
    byKey.set(key, group);
    group.push(item);
    groups.set(item, group);
  }
  return groups;
}
