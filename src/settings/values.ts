/** @file Kinds of values of settings: a zod schema each, with the way from text and back where JavaScript's own is not it. */
import * as z from "zod";

/** How a value is written as one word of a command line. */
interface TextForm {
  read(word: string): unknown;
  write(value: unknown): string;
}

const textForms = new WeakMap<z.core.$ZodType, TextForm>();

function written<S extends z.ZodType>(schema: S, form: TextForm): S {
  textForms.set(schema, form);
  return schema;
}

/** What a word says; whether it fits, the schema says. */
export function readWord(schema: z.core.$ZodType, word: string): unknown {
  const form = textForms.get(schema);
  if (form) return form.read(word);
  if (schema instanceof z.ZodLiteral) return [...schema.values].find((value) => String(value) === word) ?? word;
  if (schema instanceof z.ZodNumber) return word.trim() === "" ? Number.NaN : Number(word);
  if (schema instanceof z.ZodArray) return word.split(",").map((part) => part.trim());
  return word;
}

export function writeWord(schema: z.core.$ZodType, value: unknown): string {
  return textForms.get(schema)?.write(value) ?? String(value);
}

/** A whole number not below `least`. */
export function whole(least: number): z.ZodInt {
  const error = `It must be a whole number, ${least} or more.`;
  return z.int(error).min(least, error);
}

/** A whole number not below `least`, or a word in its place. */
export function wholeOr<const W extends string>(word: W, least: number): z.ZodUnion<[z.ZodLiteral<W>, z.ZodInt]> {
  const error = `It must be a whole number, ${least} or more, or ${word}.`;
  return written(z.union([z.literal(word), z.int(error).min(least, error)], error), {
    read: (given) => (given === word || given.trim() === "" ? given : Number(given)),
    write: String,
  });
}

/** A number within bounds, ends included. */
export function between(low: number, high: number): z.ZodNumber {
  const error = `It must be a number from ${low} to ${high}.`;
  return z.number(error).min(low, error).max(high, error);
}

export function number(): z.ZodNumber {
  return z.number();
}

export function numbers(): z.ZodArray<z.ZodNumber> {
  return z.array(z.number());
}

/** A comma-separated list of numbers within bounds, ends included. */
export function numbersBetween(low: number, high: number): z.ZodArray<z.ZodNumber> {
  const error = `It must be a list of numbers from ${low} to ${high}, such as ${low},${high}.`;
  return written(z.array(z.number(error).min(low, error).max(high, error), error).min(1, error), {
    read: (word) => word.split(",").map((part) => (part.trim() === "" ? Number.NaN : Number(part))),
    write: String,
  });
}

/** Two numbers. */
export function pair(): z.ZodTuple<[z.ZodNumber, z.ZodNumber], null> {
  return z.tuple([z.number(), z.number()]);
}

export function positive(): z.ZodNumber {
  const error = "It must be a number above 0.";
  return z.number(error).positive(error);
}

/** `90`, `90s`, `5m`, `1h` in seconds. */
export function seconds(): z.ZodNumber {
  const error = "It must be a time such as 90s, 5m or 1h.";
  return written(z.number(error).min(0, error), {
    read(word) {
      const [, count, unit = "s"] = /^(\d+(?:\.\d+)?)(s|m|h)?$/.exec(word) ?? [];
      return Number(count) * { s: 1, m: 60, h: 3600 }[unit as "s" | "m" | "h"];
    },
    write: (value) => `${value}s`,
  });
}

/** `800m`, `4g` or a number of bytes; `k`, `m` and `g` are 1024, its square and its cube. */
export function byteCount(): z.ZodInt {
  const error = "It must be a size such as 800m or 4g.";
  return written(z.int(error).min(1, error), {
    read(word) {
      const [, count, unit = ""] = /^(\d+(?:\.\d+)?)([kmg])?b?$/i.exec(word) ?? [];
      const factor = { k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, "": 1 }[unit.toLowerCase() as "k" | "m" | "g" | ""];
      return Math.floor(Number(count) * factor);
    },
    write: String,
  });
}

export function text(): z.ZodString {
  return z.string();
}

/** It is done where the setting is named. */
export function flag(): z.ZodBoolean {
  return z.boolean();
}

/** One of some names or numbers. */
export function choice<const T extends string | number>(values: readonly T[]): z.ZodLiteral<T> {
  return z.literal(values);
}

/** A member of a family by its name in the index. */
export function memberOf<T extends object>(family: T): z.ZodLiteral<keyof T & string> {
  return z.literal(Object.keys(family) as (keyof T & string)[]);
}

/** What members with a summary are, for a line of help. */
export function summariesOf(family: Readonly<Record<string, { readonly summary: string }>>): string {
  return Object.entries(family)
    .map(([name, { summary }]) => `${name}: ${summary}`)
    .join("; ");
}

/** A comma-separated list of names. */
export function names(): z.ZodArray<z.ZodString> {
  const error = "It must be a list of names such as head,block1/*.";
  return z.array(z.string().min(1, error), error).min(1, error);
}

/** A comma-separated list of known values; `none` is the empty list. */
export function list<const T extends string>(values: readonly T[]): z.ZodArray<z.ZodEnum<{ [K in T]: K }>> {
  const known = z.enum(values, {
    error: ({ input }) => `${JSON.stringify(input)} is not one of ${values.join(", ")}, none.`,
  });
  return written(z.array(known), {
    read: (word) => (word === "none" ? [] : word.split(",").map((part) => part.trim())),
    write: (value) => (value as readonly T[]).join(",") || "none",
  });
}

/** Numbers of 0 and more, separated by commas. */
export function numberList(): z.ZodArray<z.ZodNumber> {
  const error = "It must be a list of numbers such as 2,1.";
  const list = z.array(z.number(error).min(0, error), error).min(1, error);
  return written(list, {
    read: (word) => word.split(",").map((part) => (part.trim() === "" ? Number.NaN : Number(part))),
    write: (value) => (value as readonly number[]).join(","),
  });
}

/** `block5=block2,block9=block4`: names of a value of a teacher and of the value of a student that follows it. */
export function valuePairs() {
  const error = "It must be a list of pairs such as teacher_value=student_value.";
  const name = z.string(error).min(1, error);
  const pair = z.strictObject({ teacher: name, student: name }, error);
  return written(z.array(pair, error).min(1, error), {
    read(word) {
      const parts = word.split(",").map((part) => /^(.+)=(.+)$/.exec(part.trim()));
      return parts.includes(null) ? word : parts.map((part) => ({ teacher: part![1], student: part![2] }));
    },
    write: (value) =>
      (value as readonly { teacher: string; student: string }[])
        .map(({ teacher, student }) => `${teacher}=${student}`)
        .join(","),
  });
}

/** `head=0.2,block1/*=0.5`: layers by name, each with a share. */
export function layerShares() {
  const error = "It must be a list such as head=0.2,block1/*=0.5, with shares from 0 to below 1.";
  const share = z.strictObject(
    { layer: z.string(error).min(1, error), most: z.number(error).min(0, error).lt(1, error) },
    error,
  );
  return written(z.array(share, error).min(1, error), {
    read(word) {
      const parts = word.split(",").map((part) => /^(.+)=([\d.]+)$/.exec(part.trim()));
      return parts.includes(null) ? word : parts.map((part) => ({ layer: part![1], most: Number(part![2]) }));
    },
    write: (value) =>
      (value as readonly { layer: string; most: number }[]).map(({ layer, most }) => `${layer}=${most}`).join(","),
  });
}

/** `batch=1,length=128` as a map. */
export function lengths(): z.ZodMap<z.ZodString, z.ZodInt> {
  const error = "It must be a list such as batch=1,length=128.";
  return written(z.map(z.string(), z.int(), error), {
    read(word) {
      const pairs = word.split(",").map((part) => /^(.+)=(\d+)$/.exec(part.trim()));
      return pairs.includes(null) ? word : new Map(pairs.map((pair) => [pair![1]!, Number(pair![2])]));
    },
    write: (value) => [...(value as ReadonlyMap<string, number>)].map((pair) => pair.join("=")).join(","),
  });
}
