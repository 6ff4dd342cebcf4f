/** @file Covering arrays: few assignments in which every pair of values of every two factors occurs. */
import { generator } from "../laws/gradient-check.ts";

export type Factors = Readonly<Record<string, readonly unknown[]>>;

/** One value for each factor. */
export type Assignment<F extends Factors> = { readonly [K in keyof F]: F[K][number] };

/** Positions of the values, one for each factor. */
type Row = readonly number[];

/** Candidates of which each next row is the best, and how many are drawn before a pair counts as impossible. */
const CANDIDATES = 8;
const DRAWS = 200;

/** Assignments that `isPossible` accepts; a pair is left out only when no draw that holds it is accepted. */
export function pairwise<F extends Factors>(
  factors: F,
  seed: number,
  isPossible: (assignment: Assignment<F>) => boolean,
): Assignment<F>[] {
  const names = Object.keys(factors);
  const sizes = names.map((name) => factors[name]!.length);
  const random = generator(seed);
  const named = (row: Row) =>
    Object.fromEntries(names.map((name, i) => [name, factors[name]![row[i]!]])) as Assignment<F>;
  const open = new Set(allPairs(sizes));
  const rows: Row[] = [];
  for (const pair of shuffled([...open], random)) {
    if (!open.has(pair)) continue;
    const row = bestRow(sizes, pair, open, random, (candidate) => isPossible(named(candidate)));
    if (!row) continue;
    for (const covered of pairsOf(row)) open.delete(covered);
    rows.push(row);
  }
  return rows.map(named);
}

function bestRow(
  sizes: readonly number[],
  pair: string,
  open: ReadonlySet<string>,
  random: () => number,
  accepts: (row: Row) => boolean,
): Row | undefined {
  const fixed = new Map(pair.split(",").map((part) => part.split(":").map(Number) as [number, number]));
  let best: { row: Row; fresh: number } | undefined;
  let accepted = 0;
  for (let draw = 0; draw < DRAWS && accepted < CANDIDATES; draw++) {
    const row = sizes.map((size, i) => fixed.get(i) ?? Math.floor(random() * size));
    if (!accepts(row)) continue;
    accepted++;
    const fresh = pairsOf(row).filter((key) => open.has(key)).length;
    if (!best || fresh > best.fresh) best = { row, fresh };
  }
  return best?.row;
}

/** A single factor pairs with itself, so that each of its values occurs. */
function allPairs(sizes: readonly number[]): string[] {
  if (sizes.length === 1) return Array.from({ length: sizes[0]! }, (_, v) => `0:${v},0:${v}`);
  return sizes.flatMap((size, i) =>
    sizes
      .slice(i + 1)
      .flatMap((other, k) =>
        Array.from({ length: size * other }, (_, n) => `${i}:${Math.floor(n / other)},${i + 1 + k}:${n % other}`),
      ),
  );
}

function pairsOf(row: Row): string[] {
  if (row.length === 1) return [`0:${row[0]},0:${row[0]}`];
  return row.flatMap((value, i) => row.slice(i + 1).map((other, k) => `${i}:${value},${i + 1 + k}:${other}`));
}

function shuffled<T>(items: readonly T[], random: () => number): T[] {
  return items
    .map((item) => ({ item, key: random() }))
    .sort((a, b) => a.key - b.key)
    .map(({ item }) => item);
}
