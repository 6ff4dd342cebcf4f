/** @file Reads that must find something: where lithe is right about itself they do, else an error says what was missing. */

/** Lithe contradicts itself. It is no `LitheError`, as no model, option or data can be blamed and no caller can act on it. */
export class InternalError extends Error {
  constructor(summary: string) {
    super(`${summary}. This is a mistake in lithe; please report it with what led here.`);
    this.name = "InternalError";
  }
}

/** The item at an index, counted from 0. @throws InternalError where there is none. */
export function nth<T>(list: readonly T[], index: number): NonNullable<T> {
  const item = list[index];
  if (item !== undefined && item !== null) return item;
  throw new InternalError(`a list of ${list.length} has no item ${index}`);
}

/** The last item. @throws InternalError where there is none. */
export function lastOf<T>(list: readonly T[]): NonNullable<T> {
  return fromEnd(list, 1);
}

/** The item so many places before the end: 1 is the last. @throws InternalError where there is none. */
export function fromEnd<T>(list: readonly T[], place: number): NonNullable<T> {
  return nth(list, list.length - place);
}

type Tuple<T, N extends number, R extends T[] = []> = R["length"] extends N ? R : Tuple<T, N, [...R, T]>;

/** A list that holds as many items as are taken out of it, and maybe more. @throws InternalError where it holds fewer. */
export function atLeast<T, N extends number>(
  list: readonly T[],
  count: N,
): readonly [...Tuple<NonNullable<T>, N>, ...T[]] {
  for (let i = 0; i < count; i++) nth(list, i);
  return list as readonly [...Tuple<NonNullable<T>, N>, ...T[]];
}

/** A list of so many items, such as the dims of a value whose rank was checked. @throws InternalError where it has more or fewer. */
export function exactly<T, N extends number>(list: readonly T[], count: N): Readonly<Tuple<NonNullable<T>, N>> {
  if (list.length !== count) throw new InternalError(`a list of ${count} has ${list.length} items`);
  atLeast(list, count);
  return list as unknown as Readonly<Tuple<NonNullable<T>, N>>;
}

/** What a map holds under a key. @throws InternalError where it holds nothing. */
export function must<K, V>(map: { get(key: K): V | undefined }, key: K): NonNullable<V> {
  const value = map.get(key);
  if (value !== undefined && value !== null) return value;
  throw new InternalError(`a map has nothing under ${nameOf(key)}`);
}

/** A value that is there. @throws InternalError where it is not. */
export function certain<T>(value: T): NonNullable<T> {
  if (value !== undefined && value !== null) return value;
  throw new InternalError("a value that was made is not there");
}

function nameOf(key: unknown): string {
  if (typeof key !== "object" || key === null) return JSON.stringify(String(key));
  return "name" in key ? JSON.stringify(String(key.name)) : "the key";
}
