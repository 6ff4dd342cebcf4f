/** @file One token per character. */
import { nth } from "../../checked.ts";
import { DataError } from "../../errors.ts";
import type { Tokenizer } from "./tokenizer.ts";

export interface CharacterTokenizer extends Tokenizer {
  /** The character of each id. */
  readonly characters: readonly string[];
}

/**
 * The tokenizer of the characters (Unicode code points) that occur in `alphabet`, numbered in code point order. Its
 * `encode` throws a `DataError` for a character that does not occur there.
 */
export function characterTokenizer(alphabet: string): CharacterTokenizer {
  const points = [...new Set(Array.from(alphabet, codePoint))].sort((a, b) => a - b);
  const characters = points.map((point) => String.fromCodePoint(point));
  const ids = new Map(points.map((point, id) => [point, id]));
  return {
    characters,
    vocabulary: characters.length,
    encode(text) {
      const given = Array.from(text, codePoint);
      return new Int32Array(given.length).map((_, i) => ids.get(nth(given, i)) ?? unknown(nth(given, i), i));
    },
    decode: (tokens) => Array.from(tokens, (token) => characters[token] ?? outside(token, characters.length)).join(""),
  };
}

function codePoint(character: string): number {
  return character.codePointAt(0)!;
}

function unknown(point: number, place: number): never {
  throw new DataError("the tokenizer does not know this character", {
    got: JSON.stringify(String.fromCodePoint(point)),
    where: `character ${place}`,
    hint: "Make the tokenizer from all of the text.",
  });
}

function outside(token: number, vocabulary: number): never {
  throw new DataError("there is no such token", {
    expected: `an integer from 0 to ${vocabulary - 1}`,
    got: `${token}`,
  });
}
