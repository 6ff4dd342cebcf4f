/** @file The entry to text on disk; everything that needs Node is loaded when it is called. */
import { checkOptions, type OptionNames } from "../../options.ts";
import { characterTokenizer } from "./characters.ts";
import { type TextOptions, type TextParts, textOptionsNames, textParts } from "./text-parts.ts";
import type { OpenTokenizerOptions, Tokenizer } from "./tokenizer.ts";

export interface OpenTextOptions extends Omit<TextOptions, "tokenizer"> {
  /** That of the characters in the file by default. */
  readonly tokenizer?: Tokenizer;
}

/**
 * A UTF-8 text file as windows of tokens, in parts; see `textParts`. Fails with a `DataError`, `FormatError` (other bytes
 * than UTF-8), `LimitError`, `PathError` or `UsageError`.
 */
export async function openText(
  path: string,
  options: OpenTextOptions,
): Promise<TextParts & { readonly tokenizer: Tokenizer }> {
  checkOptions(options, textOptionsNames);
  const { readTextFile } = await import("../node/text-file.ts");
  const text = await readTextFile(path);
  const { tokenizer = characterTokenizer(text) } = options;
  return { ...textParts(text, { ...options, tokenizer }), tokenizer };
}

const tokenizerOptionsNames: OptionNames<OpenTokenizerOptions> = { seconds: true };

/**
 * The tokenizer that a `tokenizer.json` describes, with the `tokenizer_config.json` beside it where there is one: byte-pair
 * encodings, WordPiece, Unigram. No special tokens are added. Needs the optional package `@huggingface/tokenizers`, without
 * which it fails with a `MissingPackageError` that says how to install it. A file's regular expressions may try without end, so
 * that `encode` and `decode` throw a `LimitError` when `options.seconds` have passed.
 */
export async function openTokenizer(path: string, options: OpenTokenizerOptions = {}): Promise<Tokenizer> {
  checkOptions(options, tokenizerOptionsNames);
  const { readTokenizer } = await import("../node/pretrained-tokenizer.ts");
  return readTokenizer(path, options);
}
