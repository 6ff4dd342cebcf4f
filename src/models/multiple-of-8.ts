/** The nearest multiple of 8, at least 8 and not less than 90 % of the number: the widths of MobileNet V2 and V3. */
export function multipleOf8(count: number): number {
  const nearest = Math.max(8, 8 * Math.floor((count + 4) / 8));
  return nearest < 0.9 * count ? nearest + 8 : nearest;
}
