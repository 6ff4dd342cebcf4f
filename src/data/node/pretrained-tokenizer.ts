/** @file Node only: tokenizers of published language models, through the optional package @huggingface/tokenizers. */
import { dirname, join } from "node:path";
import { FormatError, LimitError, MissingPackageError, UsageError } from "../../errors.ts";
import { decodeText, parseJson } from "../json.ts";
import { limits } from "../limits.ts";
import type { OpenTokenizerOptions, Tokenizer } from "../text/tokenizer.ts";
import { isRegularFile, openContained, openFile, readWhole } from "./files.ts";
import { withinTime } from "./within-time.ts";

/** Characters that a tokenizer of ordinary speed does in far less than a second. */
const PACE = 50_000;

/** See `openTokenizer` of the package's index. */
export async function readTokenizer(path: string, { seconds = 10 }: OpenTokenizerOptions = {}): Promise<Tokenizer> {
  if (!(seconds > 0 && seconds < 2 ** 20)) {
    throw new UsageError("seconds must be above 0", { expected: "at most 2^20", got: String(seconds) });
  }
  const within = <T>(length: number, work: () => T): T => withinTime(1000 * (seconds + length / PACE), path, work);
  const { Tokenizer: Pretrained } = await loadPackage();
  const beside = join(dirname(path), "tokenizer_config.json");
  const model = objectOf(decodeText(await readWhole(() => openFile(path), limits.textBytes), path), path);
  const config = (await isRegularFile(beside))
    ? objectOf(decodeText(await readWhole(() => openContained(beside), limits.textBytes), beside), beside)
    : {};
  const tokenizer = guarded(path, () => within(0, () => new Pretrained(model, config)));
  const ids = [...guarded(path, () => tokenizer.get_vocab(true)).values()];
  return {
    vocabulary: ids.reduce((most, id) => Math.max(most, id), -1) + 1,
    encode: (text) =>
      new Int32Array(within(text.length, () => tokenizer.encode(text, { add_special_tokens: false }).ids)),
    decode: (tokens) => within(tokens.length, () => tokenizer.decode(Array.from(tokens))),
  };
}

function objectOf(text: string, where: string): object {
  const value = parseJson(text, where);
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  throw new FormatError("the file describes no tokenizer", { expected: "a JSON object", where });
}

function guarded<T>(where: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    if (cause instanceof LimitError) throw cause;
    throw new FormatError("the file describes no tokenizer", { got: (cause as Error).message, where, cause });
  }
}

async function loadPackage() {
  try {
    return await import("@huggingface/tokenizers");
  } catch (cause) {
    throw new MissingPackageError("an optional package is missing", {
      got: "@huggingface/tokenizers",
      hint: "Install it with: npm i @huggingface/tokenizers",
      cause,
    });
  }
}
