/** @file Numbers in tables and lists of labels. */

/** The finite or infinite decimal number that a text is, without blanks around it. */
export function parseNumber(cell: string): number | undefined {
  const text = cell.trim();
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : undefined;
}
