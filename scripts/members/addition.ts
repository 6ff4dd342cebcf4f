/** @file What is written to add a member of a family. */

/** A change of one file: what stands behind the first place where `after` stands, or in a new file without it. */
export interface Edit {
  readonly file: string;
  readonly after?: string;
  readonly text: string;
}

export interface Addition {
  /** What is added, with an article: `a gate`. */
  readonly what: string;
  /** Files that adding it may take at most. */
  readonly most: number;
  /** In files that people write. */
  readonly edits: readonly Edit[];
  /** Tests that must pass with it, beside those of `test/meta`. */
  readonly tests: readonly string[];
}

export function newFile(file: string, ...lines: readonly string[]): Edit {
  return { file, text: `${lines.join("\n")}\n` };
}

export function behind(file: string, after: string, ...lines: readonly string[]): Edit {
  return { file, after, text: `\n${lines.join("\n")}` };
}
