export { type CharacterTokenizer, characterTokenizer } from "./characters.ts";
export { type OpenTextOptions, openText, openTokenizer } from "./open-text.ts";
export { nearestRows, replaceWords, type WordReplacementOptions } from "./replace-words.ts";
export { type TextOptions, type TextParts, textParts } from "./text-parts.ts";
export { tokenWindows, type WindowOptions } from "./token-windows.ts";
export type { OpenTokenizerOptions, Tokenizer } from "./tokenizer.ts";
