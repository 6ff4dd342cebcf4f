/** @file The values of the greatest magnitude. */

/** The places of the `count` greatest of `magnitudes`, ascending; of equal ones the first. Zeros are never among them. */
export function greatestPlaces(magnitudes: Float32Array, count: number): Uint32Array {
  const threshold = nthGreatest(magnitudes, count);
  const above = magnitudes.reduce((sum, value) => sum + (value > threshold ? 1 : 0), 0);
  let equal = count - above;
  return placesWhere(magnitudes, (value) => value > threshold || (value > 0 && value === threshold && equal-- > 0));
}

/** The `count`-th greatest, from 1; of fewer the least. */
export function nthGreatest(magnitudes: Float32Array, count: number): number {
  const sorted = magnitudes.slice().sort();
  return sorted[Math.max(0, sorted.length - count)] ?? 0;
}

export function placesWhere(values: Float32Array, isMeant: (value: number) => boolean): Uint32Array {
  const places: number[] = [];
  values.forEach((value, i) => {
    if (isMeant(value)) places.push(i);
  });
  return Uint32Array.from(places);
}
