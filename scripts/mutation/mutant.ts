/** @file One change to one place of the sources. */
export interface Mutant {
  /** From the root of the repository: `src/quantize/scheme.ts`. */
  readonly file: string;
  readonly line: number;
  readonly operator: string;
  /** Where the text that is replaced begins and ends in the file. */
  readonly start: number;
  readonly end: number;
  readonly original: string;
  /** What stands there instead; empty for a statement that is taken away. */
  readonly mutated: string;
  readonly isStatement: boolean;
  /** Stays the same while other text of the file changes: file, operator, texts, and a number where the file has several such. */
  readonly key: string;
}

/** Text on one line, cut where it is long. */
export function oneLine(text: string, longest = 100): string {
  const line = text.replaceAll(/\s+/g, " ");
  return line.length > longest ? `${line.slice(0, longest - 1)}…` : line;
}
