/** @file k-means with clusters of equal size: which hidden units belong together. */
import { nth } from "../../../checked.ts";
import { fixedSource } from "../gates/fixed-source.ts";

const ROUNDS = 20;

/**
 * Divides `count` vectors of `width` numbers, taken at length 1, into clusters of count / clusters members each: in turns, centres are the
 * means of their members, and the pairs of vector and centre are served from the nearest on while there is room. Begins with
 * centres far apart (k-means++). Returns the members of each cluster, in rising order; those of the round with the least sum of
 * squared distances.
 */
export function balancedClusters(
  vectors: Float64Array,
  { count, clusters, seed }: { readonly count: number; readonly clusters: number; readonly seed: number },
): number[][] {
  const width = vectors.length / count;
  const points = Array.from({ length: count }, (_, i) => unitVector(vectors.subarray(i * width, (i + 1) * width)));
  let centres = farCentres(points, clusters, seed);
  let best = { members: [] as number[][], sum: Number.POSITIVE_INFINITY };
  for (let round = 0; round < ROUNDS; round++) {
    const found = assigned(points, centres);
    if (!(found.sum < best.sum - 1e-12)) break;
    best = found;
    centres = found.members.map((members) => meanOf(members.map((i) => nth(points, i))));
  }
  return best.members;
}

/** At length 1; what is no number counts as 0. */
function unitVector(x: Float64Array): Float64Array {
  const finite = x.map((value) => (Number.isFinite(value) ? value : 0));
  const length = Math.sqrt(finite.reduce((sum, value) => sum + value * value, 0));
  return length > 0 ? finite.map((value) => value / length) : finite;
}

function farCentres(points: readonly Float64Array[], clusters: number, seed: number): Float64Array[] {
  const source = fixedSource(seed);
  const centres = [nth(points, Math.floor(source.uniform() * points.length))];
  const nearest = points.map((point) => squaredDistance(point, nth(centres, 0)));
  while (centres.length < clusters) {
    const drawn = drawnBy(nearest, source.uniform());
    const next = nth(points, drawn);
    centres.push(next);
    for (const [i, point] of points.entries()) nearest[i] = Math.min(nth(nearest, i), squaredDistance(point, next));
  }
  return centres;
}

/** The place at which the running sum of the weights passes a share of the total. */
function drawnBy(weights: readonly number[], share: number): number {
  const goal = share * weights.reduce((sum, weight) => sum + weight, 0);
  let sum = 0;
  for (const [i, weight] of weights.entries()) {
    sum += weight;
    if (sum > goal) return i;
  }
  return weights.length - 1;
}

function assigned(points: readonly Float64Array[], centres: readonly Float64Array[]) {
  const room = points.length / centres.length;
  const distances = new Float64Array(points.length * centres.length).map((_, i) =>
    squaredDistance(nth(points, Math.floor(i / centres.length)), nth(centres, i % centres.length)),
  );
  const pairs = new Uint32Array(distances.length)
    .map((_, i) => i)
    .sort((a, b) => distances[a]! - distances[b]! || a - b);
  const members: number[][] = centres.map(() => []);
  const isPlaced = new Uint8Array(points.length);
  let sum = 0;
  for (const pair of pairs) {
    const [point, cluster] = [Math.floor(pair / centres.length), pair % centres.length];
    if (isPlaced[point] || nth(members, cluster).length >= room) continue;
    isPlaced[point] = 1;
    nth(members, cluster).push(point);
    sum += distances[pair]!;
  }
  return { members: members.map((list) => list.toSorted((a, b) => a - b)), sum };
}

function meanOf(points: readonly Float64Array[]): Float64Array {
  return nth(points, 0).map((_, i) => points.reduce((sum, point) => sum + point[i]!, 0) / points.length);
}

function squaredDistance(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i]! - b[i]!) ** 2;
  return sum;
}
