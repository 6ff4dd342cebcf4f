/** @file A small GPT over the characters of tiny Shakespeare, trained for one pass over the text. */
import { readFileSync } from "node:fs";
import { characterTokenizer, random, type TextParts, type Tokenizer, textParts } from "../src/data/index.ts";
import { gpt } from "../src/models/index.ts";
import { adamw, muon } from "../src/train/index.ts";
import { trainGpt } from "./train-gpt.ts";

export const CONTEXT = 128;
export const size = { width: 128, depth: 4, heads: 4 } as const;

/** The text, of which the last tenth is held out. */
export function shakespeareText(shared: string): { readonly tokenizer: Tokenizer; readonly parts: TextParts } {
  const text = readFileSync(`${shared}/data/text/tinyshakespeare.txt`, "utf8");
  const tokenizer = characterTokenizer(text);
  return { tokenizer, parts: textParts(text, { tokenizer, context: CONTEXT, stride: CONTEXT / 4 }) };
}

/** Muon for the matrices of the blocks and AdamW for the rest; `name` is that of the folder with the checkpoints. */
export function trainCharacterGpt(
  name: string,
  seed: number,
  parts: TextParts,
  { vocabulary }: Tokenizer,
  log: (line: string) => void,
): ReturnType<typeof trainGpt> {
  const optimizer = muon({
    scale: "adamw",
    applies: ({ name: own, dims }) => dims.length === 2 && own.startsWith("block"),
    others: adamw({ betas: [0.9, 0.99], weightDecay: 0.1 }),
  });
  const model = gpt(random(seed), { vocabulary, context: CONTEXT, ...size });
  return trainGpt({ name, model, parts, optimizer, learningRate: 4e-3, batch: 16, seed }, log);
}
