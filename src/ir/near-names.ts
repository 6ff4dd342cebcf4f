/** @file Which of many names one may have meant. */

/** Names to list. */
const MOST = 5;

/** Below this, a name has little in common with what was given. */
const LEAST = 0.3;

/** Those that share most pairs of letters with the given one, the nearest first; none where all are far. */
export function nearNames(given: string, names: Iterable<string>): string[] {
  const own = pairsOf(given);
  return [...new Set(names)]
    .map((name) => ({ name, likeness: likeness(own, pairsOf(name)) }))
    .filter(({ likeness: found }) => found >= LEAST)
    .sort((a, b) => b.likeness - a.likeness)
    .slice(0, MOST)
    .map(({ name }) => name);
}

function pairsOf(name: string): Set<string> {
  const padded = ` ${name.toLowerCase()} `;
  return new Set(Array.from({ length: padded.length - 1 }, (_, i) => padded.slice(i, i + 2)));
}

/** Dice's coefficient. */
function likeness(a: ReadonlySet<string>, b: ReadonlySet<string>): number {
  let shared = 0;
  for (const pair of a) if (b.has(pair)) shared++;
  return (2 * shared) / (a.size + b.size);
}
