import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { DataError, FormatError, LimitError, MissingPackageError, UsageError } from "../../errors.ts";
import { numbersOf } from "../../ir/index.ts";
import { collect } from "../collect.ts";
import type { Dataset } from "../dataset.ts";
import { characterTokenizer, openText, openTokenizer, textParts, tokenWindows } from "./index.ts";

const windowsOf = async (data: Dataset) =>
  (await collect(data)).map(({ inputs }) => ({
    ids: [...numbersOf(inputs.get("ids")!)],
    labels: [...numbersOf(inputs.get("labels")!)],
  }));

describe("the character tokenizer", () => {
  it("gives back every text over its alphabet", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", minLength: 1, maxLength: 50 }), (text) => {
        const tokenizer = characterTokenizer(text);
        const tokens = tokenizer.encode(text);
        expect(tokenizer.decode(tokens)).toBe(text);
        expect(Math.max(...tokens)).toBeLessThan(tokenizer.vocabulary);
        expect(tokenizer.vocabulary).toBe(new Set(text).size);
      }),
      { numRuns: 30 },
    );
  });

  it("numbers by code point, and counts one beyond 16 bits as one", () => {
    expect(characterTokenizer("b𝄞a").characters).toEqual(["a", "b", "𝄞"]);
    expect([...characterTokenizer("b𝄞a").encode("𝄞a")]).toEqual([2, 0]);
  });

  it("refuses what it does not know", () => {
    expect(() => characterTokenizer("ab").encode("abc")).toThrow(/does not know.*"c".*character 2/);
    expect(() => characterTokenizer("ab").decode([2])).toThrow(DataError);
  });
});

describe("windows of tokens", () => {
  it("are labelled with the tokens one place further", async () => {
    const tokens = Int32Array.from({ length: 11 }, (_, i) => 10 * i);
    const windows = await windowsOf(tokenWindows(tokens, { context: 4, stride: 3 }));
    expect(windows).toEqual([
      { ids: [0, 10, 20, 30], labels: [10, 20, 30, 40] },
      { ids: [30, 40, 50, 60], labels: [40, 50, 60, 70] },
      { ids: [60, 70, 80, 90], labels: [70, 80, 90, 100] },
    ]);
  });

  it("predict every token once without a stride", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 0, max: 60 }), async (context, more) => {
        const tokens = Int32Array.from({ length: context + 1 + more }, (_, i) => i);
        const labels = (await windowsOf(tokenWindows(tokens, { context }))).flatMap((window) => window.labels);
        const whole = Math.floor((tokens.length - 1) / context) * context;
        expect(labels).toEqual(Array.from({ length: whole }, (_, i) => i + 1));
      }),
      { numRuns: 30 },
    );
  });

  it("need one token more than they are long", () => {
    expect(() => tokenWindows(new Int32Array(4), { context: 4 })).toThrow(/shorter than one window/);
    expect(() => tokenWindows(new Int32Array(9), { context: 0 })).toThrow(UsageError);
    expect(() => tokenWindows(new Int32Array(9), { context: 4, stride: 0.5 })).toThrow(UsageError);
  });
});

/** Every character occurs once, so that a leak would show. */
const text = Array.from({ length: 400 }, (_, i) => String.fromCodePoint(0x4e00 + i)).join("");

describe("parts of a text", () => {
  it("share no token, and lie in order", async () => {
    const tokenizer = characterTokenizer(text);
    const { training, validation, test } = textParts(text, {
      tokenizer,
      context: 8,
      stride: 3,
      validation: 0.2,
      test: 0.1,
    });
    const tokensOf = async (data: Dataset) =>
      new Set((await windowsOf(data)).flatMap(({ ids, labels }) => [...ids, ...labels]));
    const [a, b, c] = [await tokensOf(training), await tokensOf(validation!), await tokensOf(test!)];
    expect(Math.max(...a)).toBeLessThan(280);
    expect(Math.min(...b)).toBe(280);
    expect(Math.max(...b)).toBeLessThan(360);
    expect(Math.min(...c)).toBe(360);
    const labels = (await windowsOf(validation!)).flatMap((window) => window.labels);
    expect(new Set(labels).size).toBe(labels.length);
  });

  it("are left out at a share of 0, and never cut a character", () => {
    const parts = textParts("𝄞".repeat(101), { tokenizer: characterTokenizer("𝄞"), context: 2, validation: 0.5 });
    expect(parts.test).toBeUndefined();
    expect(parts.training.size + parts.validation!.size).toBe(49);
  });

  it("refuse shares and tokens that do not fit", () => {
    const tokenizer = characterTokenizer("a");
    expect(() => textParts("aaaa", { tokenizer, context: 1, validation: 0.7, test: 0.3 })).toThrow(UsageError);
    const wrong = { ...tokenizer, encode: () => Int32Array.of(0, 7, 0) };
    expect(() => textParts("aaaa", { tokenizer: wrong, context: 1 })).toThrow(/outside its vocabulary.*token 1/);
  });
});

/** Words and one byte-pair merge, as tokenizer.json has them. */
const described = {
  version: "1.0",
  added_tokens: [],
  normalizer: { type: "Lowercase" },
  pre_tokenizer: { type: "WhitespaceSplit" },
  post_processor: null,
  decoder: null,
  model: {
    type: "BPE",
    unk_token: "?",
    vocab: { "?": 0, a: 1, b: 2, ab: 3 },
    merges: ["a b"],
  },
};

describe("files", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "litheml-text-"));
    await writeFile(join(folder, "text.txt"), text);
    await writeFile(join(folder, "latin1.txt"), Uint8Array.of(0x41, 0xe9, 0x41));
    await writeFile(join(folder, "tokenizer.json"), JSON.stringify(described));
    await writeFile(join(folder, "list.json"), "[]");
    await writeFile(join(folder, "odd.json"), `{"model": {"type": "BPE"}}`);
  });
  afterAll(() => rm(folder, { recursive: true }));

  it("of text become parts with the tokenizer of their characters", async () => {
    const { tokenizer, training, validation } = await openText(join(folder, "text.txt"), { context: 10 });
    expect(tokenizer.vocabulary).toBe(400);
    expect([training.size, validation!.size]).toEqual([35, 3]);
    await expect(openText(join(folder, "latin1.txt"), { context: 1 })).rejects.toThrow(FormatError);
    await expect(openText(join(folder, "none.txt"), { context: 1 })).rejects.toThrow(DataError);
  });

  it("of tokenizers are read by @huggingface/tokenizers", async () => {
    const tokenizer = await openTokenizer(join(folder, "tokenizer.json"));
    expect(tokenizer.vocabulary).toBe(4);
    expect([...tokenizer.encode("AB ba ab")]).toEqual([3, 2, 1, 3]);
    const parts = textParts("ab ".repeat(60), { tokenizer, context: 4 });
    expect((await windowsOf(parts.training))[0]).toEqual({ ids: [3, 3, 3, 3], labels: [3, 3, 3, 3] });
  });

  it("of tokenizers whose expressions try without end are stopped, and go on with the next text", async () => {
    const pattern = { type: "Split", pattern: { Regex: "(a+)+$" }, behavior: "Isolated", invert: false };
    const endless = { ...described, normalizer: null, pre_tokenizer: pattern };
    await writeFile(join(folder, "endless.json"), JSON.stringify(endless));
    const tokenizer = await openTokenizer(join(folder, "endless.json"), { seconds: 1 });
    expect(() => tokenizer.encode(`${"a".repeat(60)}b`)).toThrow(LimitError);
    expect([...tokenizer.encode("ab")]).toEqual([3]);
    await expect(openTokenizer(join(folder, "endless.json"), { seconds: 0 })).rejects.toThrow(UsageError);
  });

  it("that describe no tokenizer are refused", async () => {
    await expect(openTokenizer(join(folder, "list.json"))).rejects.toThrow(FormatError);
    await expect(openTokenizer(join(folder, "odd.json"))).rejects.toThrow(FormatError);
  });

  it("ask for the package by its name", async () => {
    vi.doMock("@huggingface/tokenizers", () => {
      throw new Error("not installed");
    });
    try {
      const opened = openTokenizer(join(folder, "tokenizer.json"));
      await expect(opened).rejects.toThrow(MissingPackageError);
      await expect(openTokenizer("x")).rejects.toThrow(/npm i @huggingface\/tokenizers/);
    } finally {
      vi.doUnmock("@huggingface/tokenizers");
    }
  });
});
