/** @file JSON (RFC 8259) into maps, with duplicate keys refused and the number of values bounded. */
import { FormatError, LimitError } from "../../errors.ts";
import { limits } from "../limits.ts";

export type JsonValue = string | number | boolean | null | readonly JsonValue[] | ReadonlyMap<string, JsonValue>;

interface Cursor {
  readonly text: string;
  readonly where: string;
  readonly mostKeys: number;
  at: number;
}

/** Parses `text`; objects become maps of at most `mostKeys` entries. A key that appears twice is a `FormatError`. */
export function parseStrictJson(text: string, where: string, mostKeys: number): JsonValue {
  const cursor: Cursor = { text, where, mostKeys, at: 0 };
  const value = readValue(cursor, 0);
  skipSpace(cursor);
  if (cursor.at !== text.length) throw unexpected(cursor, "the end");
  return value;
}

function readValue(cursor: Cursor, depth: number): JsonValue {
  if (depth > limits.jsonDepth) {
    throw new LimitError("the JSON is nested too deeply", {
      expected: `at most ${limits.jsonDepth} levels`,
      where: cursor.where,
    });
  }
  skipSpace(cursor);
  const start = cursor.text[cursor.at];
  if (start === "{") return readObject(cursor, depth);
  if (start === "[") return readArray(cursor, depth);
  if (start === '"') return readString(cursor);
  return readScalar(cursor);
}

function readObject(cursor: Cursor, depth: number): ReadonlyMap<string, JsonValue> {
  const fields = new Map<string, JsonValue>();
  readItems(cursor, "}", () => {
    skipSpace(cursor);
    const key = readString(cursor);
    if (fields.has(key))
      throw new FormatError("a key appears twice in the JSON", { got: JSON.stringify(key), where: cursor.where });
    skipSpace(cursor);
    expect(cursor, ":");
    fields.set(key, readValue(cursor, depth + 1));
    if (fields.size > cursor.mostKeys) {
      throw new LimitError("the JSON has too many keys", {
        expected: `at most ${cursor.mostKeys}`,
        where: cursor.where,
      });
    }
  });
  return fields;
}

function readArray(cursor: Cursor, depth: number): readonly JsonValue[] {
  const items: JsonValue[] = [];
  readItems(cursor, "]", () => items.push(readValue(cursor, depth + 1)));
  return items;
}

/** Items between the opening bracket at the cursor and `close`, separated by commas. */
function readItems(cursor: Cursor, close: string, readItem: () => void): void {
  cursor.at++;
  skipSpace(cursor);
  if (cursor.text[cursor.at] === close) {
    cursor.at++;
    return;
  }
  for (;;) {
    readItem();
    skipSpace(cursor);
    if (cursor.text[cursor.at] === close) break;
    expect(cursor, ",");
  }
  cursor.at++;
}

function readString(cursor: Cursor): string {
  const { text, at: start } = cursor;
  if (text[start] !== '"') throw unexpected(cursor, "a string");
  let end = start + 1;
  while (end < text.length && text[end] !== '"') end += text[end] === "\\" ? 2 : 1;
  try {
    const value = JSON.parse(text.slice(start, end + 1)) as string;
    cursor.at = end + 1;
    return value;
  } catch {
    throw unexpected(cursor, "a string");
  }
}

function readScalar(cursor: Cursor): JsonValue {
  const token = match(cursor, /true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y);
  if (token === undefined) throw unexpected(cursor, "a value");
  return JSON.parse(token) as JsonValue;
}

function match(cursor: Cursor, pattern: RegExp): string | undefined {
  pattern.lastIndex = cursor.at;
  const token = pattern.exec(cursor.text)?.[0];
  if (token !== undefined) cursor.at += token.length;
  return token;
}

function expect(cursor: Cursor, character: string): void {
  if (cursor.text[cursor.at] !== character) throw unexpected(cursor, JSON.stringify(character));
  cursor.at++;
}

function skipSpace(cursor: Cursor): void {
  match(cursor, /[ \t\n\r]*/y);
}

function unexpected({ text, at, where }: Cursor, expected: string): FormatError {
  const got = at < text.length ? JSON.stringify(text.slice(at, at + 20)) : "the end";
  return new FormatError("the JSON is malformed", { expected, got, where: `${where}, character ${at}` });
}
