/** @file Text → tokens, read one ahead. */
import { FormatError, LimitError } from "../../errors.ts";

export type TokenKind = "name" | "string" | "number" | "symbol" | "end";

export interface Token {
  readonly kind: TokenKind;
  /** The characters; of a string, its text. */
  readonly text: string;
  /** Of a string: its bytes, which need not be text. */
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
}

/** Tries each form at one place; the first that fits is taken. */
const forms: readonly (readonly [TokenKind, RegExp])[] = [
  ["name", /[A-Za-z_][A-Za-z0-9_]*/y],
  ["number", /-?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|-(?:inf|nan)\b/y],
  ["string", /"(?:[^"\\]|\\.)*"/sy],
  ["symbol", /=>|\.\.\.|[<>()[\]{},:=@.?|]/y],
];

const space = /(?:\s+|#[^\n]*)*/y;
const empty = new Uint8Array();

/** Deeper than any model; each level is a call. */
const MAX_DEPTH = 100;

/** A cursor over tokens: `take` and `expect` move it, `peek` does not. */
export class Lexer {
  readonly #text: string;
  #next: Token;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
    this.#next = this.#read(0);
  }

  get peek(): Token {
    return this.#next;
  }

  is(symbol: string): boolean {
    return this.#next.kind === "symbol" && this.#next.text === symbol;
  }

  isName(...names: readonly string[]): boolean {
    return this.#next.kind === "name" && (names.length === 0 || names.includes(this.#next.text));
  }

  /** Whether what follows the next token begins like `form`. */
  second(form: RegExp): boolean {
    return form.test(this.#text.slice(this.#next.end, this.#next.end + 100).trimStart());
  }

  next(): Token {
    const token = this.#next;
    this.#next = this.#read(token.end);
    return token;
  }

  /** Takes the symbol when it comes next. */
  take(symbol: string): boolean {
    if (!this.is(symbol)) return false;
    this.next();
    return true;
  }

  expect(symbol: string): void {
    if (!this.take(symbol)) throw this.wrong(JSON.stringify(symbol));
  }

  kind(kind: TokenKind): Token {
    if (this.#next.kind !== kind) throw this.wrong(`a ${kind}`);
    return this.next();
  }

  /** A name, bare or in quotes. */
  name(): string {
    if (this.#next.kind === "name" || this.#next.kind === "string") return this.next().text;
    throw this.wrong("a name");
  }

  /** `item, item, … close`; a comma may stand before `close`. */
  list<T>(close: string, item: () => T): T[] {
    const items: T[] = [];
    while (!this.take(close)) {
      items.push(item());
      if (!this.take(",") && !this.is(close)) throw this.wrong(`"," or ${JSON.stringify(close)}`);
    }
    return items;
  }

  /** Runs `parse` one level deeper. */
  nested<T>(parse: () => T): T {
    if (++this.#depth > MAX_DEPTH) {
      throw new LimitError("the text nests too deeply", {
        expected: `at most ${MAX_DEPTH} levels`,
        where: this.where(),
      });
    }
    const result = parse();
    this.#depth--;
    return result;
  }

  where(): string {
    const before = this.#text.slice(0, this.#next.start);
    const line = before.split("\n").length;
    return `line ${line}, column ${before.length - before.lastIndexOf("\n")}`;
  }

  wrong(expected: string): FormatError {
    const got = this.#next.kind === "end" ? "the end" : JSON.stringify(this.#next.text.slice(0, 60));
    return new FormatError("the text is not a model", { expected, got, where: this.where() });
  }

  #read(from: number): Token {
    space.lastIndex = from;
    space.test(this.#text);
    const start = Math.max(from, space.lastIndex);
    for (const [kind, form] of forms) {
      form.lastIndex = start;
      const found = form.exec(this.#text);
      if (found) return token(kind, found[0], start);
    }
    if (start >= this.#text.length) return token("end", "", start);
    this.#next = token("symbol", this.#text.charAt(start), start);
    throw this.wrong("a name, number, string or symbol");
  }
}

function token(kind: TokenKind, source: string, start: number): Token {
  const bytes = kind === "string" ? unescaped(source.slice(1, -1)) : empty;
  const text = kind === "string" ? new TextDecoder().decode(bytes) : source;
  return { kind, text, bytes, start, end: start + source.length };
}

function unescaped(source: string): Uint8Array {
  const encoder = new TextEncoder();
  const parts = source.split(/(\\x[0-9a-f]{2}|\\.)/s).map((part) => {
    if (!part.startsWith("\\")) return encoder.encode(part);
    if (part.length === 4) return Uint8Array.of(Number.parseInt(part.slice(2), 16));
    return encoder.encode(part === "\\n" ? "\n" : part.slice(1));
  });
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  return bytes;
}
