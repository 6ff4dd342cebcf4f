/** @file Figures as people read them. */

export function formatBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  if (bytes < 1024 ** 2) return `${(bytes / 1024).toFixed(1)} KiB`;
  return bytes < 1024 ** 3 ? `${(bytes / 1024 ** 2).toFixed(2)} MiB` : `${(bytes / 1024 ** 3).toFixed(2)} GiB`;
}

export function formatCount(count: number): string {
  if (count < 1e4) return String(count);
  if (count < 1e6) return `${(count / 1e3).toFixed(1)} K`;
  return count < 1e9 ? `${(count / 1e6).toFixed(2)} M` : `${(count / 1e9).toFixed(2)} G`;
}

export function formatPercent(part: number, digits = 2): string {
  return `${(100 * part).toFixed(digits)} %`;
}

export function formatRatio(ratio: number): string {
  return `${ratio.toFixed(2)}×`;
}

/** A ratio in words: `2.00× faster`, `1.25× slower`. */
export function formatChange(ratio: number, better: string, worse: string): string {
  return ratio >= 1 ? `${formatRatio(ratio)} ${better}` : `${formatRatio(1 / ratio)} ${worse}`;
}

export function formatMilliseconds(time: number): string {
  if (time >= 1000) return `${(time / 1000).toFixed(2)} s`;
  return time >= 10 ? `${time.toFixed(1)} ms` : `${time.toPrecision(3)} ms`;
}

/** Three significant digits, in exponent form where that is shorter. */
export function formatNumber(value: number): string {
  if (value === 0) return "0";
  const rounded = Number(value.toPrecision(3));
  const size = Math.abs(rounded);
  return size < 1e-3 || size >= 1e5 ? value.toExponential(2) : String(rounded);
}
