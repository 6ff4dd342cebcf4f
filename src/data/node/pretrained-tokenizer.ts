/** @file Node only: tokenizers of published language models, through the optional package @huggingface/tokenizers. */
import { dirname, join } from "node:path";
import { FormatError, MissingPackageError } from "../../errors.ts";
import { decodeText, parseJson } from "../json.ts";
import { limits } from "../limits.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { isRegularFile, openContained, openFile, readWhole } from "./files.ts";

/** See `openTokenizer` of the package's index. */
export async function readTokenizer(path: string): Promise<Tokenizer> {
  const { Tokenizer: Pretrained } = await loadPackage();
  const beside = join(dirname(path), "tokenizer_config.json");
  const model = objectOf(decodeText(await readWhole(() => openFile(path), limits.textBytes), path), path);
  const config = (await isRegularFile(beside))
    ? objectOf(decodeText(await readWhole(() => openContained(beside), limits.textBytes), beside), beside)
    : {};
  const tokenizer = guarded(path, () => new Pretrained(model, config));
  const ids = [...guarded(path, () => tokenizer.get_vocab(true)).values()];
  return {
    vocabulary: ids.reduce((most, id) => Math.max(most, id), -1) + 1,
    encode: (text) => Int32Array.from(tokenizer.encode(text, { add_special_tokens: false }).ids),
    decode: (tokens) => tokenizer.decode(Array.from(tokens)),
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
    throw new FormatError("the file describes no tokenizer", { got: (cause as Error).message, where, cause });
  }
}

async function loadPackage() {
  try {
    return await import("@huggingface/tokenizers");
  } catch (cause) {
    throw new MissingPackageError("reading a tokenizer needs the package @huggingface/tokenizers", {
      hint: "Install it with: npm install @huggingface/tokenizers",
      cause,
    });
  }
}
