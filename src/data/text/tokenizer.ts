/** @file What a tokenizer is. */

export interface OpenTokenizerOptions {
  /** Seconds that a call may take, and one more for every 50,000 characters or tokens; default 10. */
  readonly seconds?: number;
}

/** Text to token ids and back. */
export interface Tokenizer {
  /** The number of different ids; they lie in [0, vocabulary). */
  readonly vocabulary: number;
  encode(text: string): Int32Array;
  decode(tokens: ArrayLike<number>): string;
}
