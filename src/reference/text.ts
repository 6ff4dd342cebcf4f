/** @file Strings: normalizing, splitting, counting n-grams. */
import { lastOf, nth } from "../checked.ts";
import { floatsAttribute, intOf, intsOf, maxOf, sizeOf, stringOf, stringsAttribute } from "../ir/index.ts";
import { bounded, type Dense, dense, slotsOf, text, texts } from "./dense.ts";
import { type Call, inputOf, type Kernels } from "./kernel.ts";

/** Drops stop words from a list [C] or [1, C] and changes the case of the others. */
function normalize(call: Call): Dense {
  const x = inputOf(call, 0);
  const { node } = call;
  const exact = intOf(node, "is_case_sensitive", 0) === 1;
  const key = (word: string): string => (exact ? word : word.toLowerCase());
  const stops = new Set((stringsAttribute(node, "stopwords") ?? []).map(key));
  const action = stringOf(node, "case_change_action", "NONE");
  const change = (word: string): string => {
    if (action === "LOWER") return word.toLowerCase();
    return action === "UPPER" ? word.toUpperCase() : word;
  };
  const kept = texts(x)
    .filter((word) => !stops.has(key(word)))
    .map(change);
  const words = kept.length > 0 ? kept : [""];
  return text([...x.dims.slice(0, -1), words.length], words);
}

/** At most `limit` cuts, from the left; without a delimiter at runs of white space. */
function pieces(word: string, delimiter: string, limit: number): string[] {
  const found: string[] = [];
  let rest = delimiter === "" ? word.trim() : word;
  if (delimiter === "" && rest === "") return [];
  while (found.length < limit) {
    const match = delimiter === "" ? /\s+/.exec(rest) : undefined;
    const at = delimiter === "" ? (match?.index ?? -1) : rest.indexOf(delimiter);
    if (at < 0) break;
    found.push(rest.slice(0, at));
    rest = rest.slice(at + (match?.[0].length ?? delimiter.length));
  }
  return [...found, rest];
}

/** The pieces, padded with empty strings to the longest, and how many there are. */
function split(call: Call): Dense[] {
  const x = inputOf(call, 0);
  const delimiter = stringOf(call.node, "delimiter", "");
  const limit = intOf(call.node, "maxsplit", Number.POSITIVE_INFINITY);
  const rows = texts(x).map((word) => pieces(word, delimiter, limit));
  const width = maxOf(
    rows.map((row) => row.length),
    0,
  );
  const padded = rows.flatMap((row) => [...row, ...new Array<string>(width - row.length).fill("")]);
  const counts = rows.map((row) => row.length);
  return [text([...x.dims, width], padded), dense("int64", x.dims, counts)];
}

interface Gram {
  readonly key: string;
  readonly place: number;
  readonly weight: number;
}

/** The n-grams of the pool by length, each with its place in the result. */
function gramsOf({ node }: Call): Map<number, Gram[]> {
  const pool = stringsAttribute(node, "pool_strings") ?? intsOf(node, "pool_int64s")?.map(String) ?? [];
  const starts = intsOf(node, "ngram_counts") ?? [];
  const places = intsOf(node, "ngram_indexes") ?? [];
  const weights = floatsAttribute(node, "weights");
  const grams = new Map<number, Gram[]>();
  let index = 0;
  starts.forEach((start, i) => {
    const length = i + 1;
    const own: Gram[] = [];
    for (let at = start; at + length <= (starts[i + 1] ?? pool.length); at += length, index++) {
      const key = JSON.stringify(pool.slice(at, at + length));
      own.push({ key, place: nth(places, index), weight: weights?.[index] ?? 1 });
    }
    grams.set(length, own);
  });
  return grams;
}

/** Counts of n-grams, skipping up to `max_skip_count` items between neighbours; IDF replaces counts by weights. */
function tfIdf(call: Call): Dense {
  const x = inputOf(call, 0);
  const { node } = call;
  const [shortest, longest] = [intOf(node, "min_gram_length", 1), intOf(node, "max_gram_length", 1)];
  const skips = intOf(node, "max_skip_count", 0);
  const mode = stringOf(node, "mode", "TF");
  const grams = gramsOf(call);
  const width = maxOf(intsOf(node, "ngram_indexes") ?? []) + 1;
  const columns = lastOf(x.dims);
  const rows = sizeOf(x.dims.slice(0, -1));
  const words = Array.from(slotsOf(x), String);
  const result = new Float64Array(bounded(rows * width));
  for (let row = 0; row < rows; row++) {
    const line = words.slice(row * columns, (row + 1) * columns);
    for (let length = shortest; length <= longest; length++) {
      for (const { key, place, weight } of grams.get(length) ?? []) {
        const count = occurrences(line, key, length, length === 1 ? 0 : skips);
        const value = mode === "TF" ? count : mode === "IDF" ? Math.min(1, count) * weight : count * weight;
        result[row * width + place]! += value;
      }
    }
  }
  return dense("float32", [...x.dims.slice(0, -1), width], result);
}

function occurrences(line: readonly string[], key: string, length: number, skips: number): number {
  let count = 0;
  for (let step = 1; step <= skips + 1; step++) {
    for (let at = 0; at + (length - 1) * step < line.length; at++) {
      const gram = Array.from({ length }, (_, i) => line[at + i * step]);
      if (JSON.stringify(gram) === key) count++;
    }
  }
  return count;
}

export const strings = {
  StringNormalizer: normalize,
  StringSplit: split,
  TfIdfVectorizer: tfIdf,
} satisfies Kernels;
