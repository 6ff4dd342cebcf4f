/** @file What a job talks through, and what it comes to. */

/** What a command talks through; its result it returns. */
export interface Console {
  /** `--json`: one object on stdout at the end; JSON lines of logs and progress on stderr. */
  readonly json: boolean;
  /** A line for the user; on stdout, or on stderr with `--json`. */
  say(line: string): void;
  /** Progress that replaces itself on a terminal. */
  progress(event: ProgressEvent): void;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
}

export interface ProgressEvent {
  readonly stage: string;
  readonly done: number;
  readonly total: number;
  /** What is being worked on. */
  readonly detail?: string;
  /** How far the whole job is, of which this is a part: seconds, and which part it is. */
  readonly whole?: { readonly part: string; readonly done: number; readonly total: number };
}

/** What a command came to: the object for `--json`, and whether a stated bound was broken. */
export interface Outcome {
  readonly result: object;
  /** Absent or `true`: exit 0. `false`: the work was done but a bound was broken, exit 1. */
  readonly ok?: boolean;
}
