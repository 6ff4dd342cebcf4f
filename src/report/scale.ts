/** @file Scales of charts: numbers to positions. */

export interface Scale {
  readonly domain: readonly [number, number];
  at(value: number): number;
}

/** A linear scale; a domain of one point maps to the middle of the range. */
export function linear(domain: readonly [number, number], range: readonly [number, number]): Scale {
  const span = domain[1] - domain[0];
  return {
    domain,
    at: (value) => {
      const part = span === 0 ? 0.5 : (value - domain[0]) / span;
      return Math.round((range[0] + part * (range[1] - range[0])) * 10) / 10;
    },
  };
}

/** At most `count` + 1 round numbers (1, 2 or 5 times a power of ten) inside the domain. */
export function niceTicks([low, high]: readonly [number, number], count: number): number[] {
  if (!(high > low)) return [low];
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5].find((factor) => factor * power >= rough) ?? 10);
  const ticks: number[] = [];
  for (let i = Math.ceil(low / step); i * step <= high + step * 1e-9; i++)
    ticks.push(Number((i * step).toPrecision(12)));
  return ticks;
}
