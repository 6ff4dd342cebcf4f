/** @file What a tokenizer is. */

/** Text to token ids and back. */
export interface Tokenizer {
  /** The number of different ids; they lie in [0, vocabulary). */
  readonly vocabulary: number;
  encode(text: string): Int32Array;
  decode(tokens: ArrayLike<number>): string;
}
