/** @file JSON from untrusted text: damaged or too deep is a named error. */
import { FormatError, LimitError } from "../errors.ts";
import { limits } from "./limits.ts";

/** Parses JSON whose brackets are nested at most `limits.jsonDepth` deep. */
export function parseJson(text: string, where: string): unknown {
  checkDepth(text, where);
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new FormatError("this is not JSON", { got: (cause as Error).message, where, cause });
  }
}

function checkDepth(text: string, where: string): void {
  let depth = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (inString) {
      if (code === 0x5c) i++;
      else if (code === 0x22) inString = false;
    } else if (code === 0x22) inString = true;
    else if (code === 0x5b || code === 0x7b) depth++;
    else if (code === 0x5d || code === 0x7d) depth--;
    if (depth > limits.jsonDepth) {
      throw new LimitError("the JSON is nested too deeply", { expected: `at most ${limits.jsonDepth} levels`, where });
    }
  }
}

/** UTF-8 text; other bytes are a `FormatError`. */
export function decodeText(bytes: Uint8Array, where: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new FormatError("the text is not UTF-8", { where, cause });
  }
}
