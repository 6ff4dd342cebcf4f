/** @file A text cut by position into parts for training, validation and test. */
import { DataError, ensure, UsageError } from "../../errors.ts";
import { checkOptions, type OptionNames } from "../../options.ts";
import type { Dataset } from "../dataset.ts";
import { tokenWindows, type WindowOptions } from "./token-windows.ts";
import type { Tokenizer } from "./tokenizer.ts";

export interface TextOptions extends WindowOptions {
  readonly tokenizer: Tokenizer;
  /** Shares of the characters at the end of the text; 0.1 and 0 by default. */
  readonly validation?: number;
  readonly test?: number;
}

export interface TextParts {
  readonly training: Dataset;
  /** Absent at a share of 0. */
  readonly validation?: Dataset;
  readonly test?: Dataset;
}

export const textOptionsNames: OptionNames<TextOptions> = {
  tokenizer: true,
  validation: true,
  test: true,
  context: true,
  stride: true,
  input: true,
  labels: true,
};

/**
 * The first characters for training, the next for validation, the last for the test. Each part is tokenized by itself and no
 * window crosses a border, so that no part sees a token of another. The windows of validation and test never overlap,
 * whatever `stride` is, so that every token counts once.
 */
export function textParts(text: string, options: TextOptions): TextParts {
  checkOptions(options, textOptionsNames);
  const { tokenizer, validation = 0.1, test = 0, ...windows } = options;
  ensure(
    validation >= 0 && test >= 0 && validation + test < 1,
    () => new UsageError("the shares leave nothing to train on", { got: `${validation} and ${test}` }),
  );
  const at = (share: number) => border(text, Math.round(share * text.length));
  const [first, second] = [at(1 - validation - test), at(1 - test)];
  const part = (from: number, to: number, stride?: number): Dataset =>
    tokenWindows(encoded(tokenizer, text.slice(from, to)), { ...windows, ...(stride && { stride }) });
  return {
    training: part(0, first),
    ...(validation > 0 && { validation: part(first, second, windows.context) }),
    ...(test > 0 && { test: part(second, text.length, windows.context) }),
  };
}

/** A place that does not cut a character of two code units. */
function border(text: string, place: number): number {
  return /[\udc00-\udfff]/.test(text.charAt(place)) ? place + 1 : place;
}

/** Tokenizers are given from outside, so their ids are checked before they index a table. */
function encoded(tokenizer: Tokenizer, text: string): Int32Array {
  const tokens = tokenizer.encode(text);
  const place = tokens.findIndex((token) => token < 0 || token >= tokenizer.vocabulary);
  if (place < 0) return tokens;
  throw new DataError("the tokenizer gave an id outside its vocabulary", {
    expected: `0 to ${tokenizer.vocabulary - 1}`,
    got: `${tokens[place]}`,
    where: `token ${place}`,
  });
}
