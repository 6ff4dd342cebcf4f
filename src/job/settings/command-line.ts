/** @file The command that does a job again, and what a run is known by. */
import { relative } from "node:path";
import type * as z from "zod";
import { type Field, fieldsOf, unwrapped, writeWord } from "../../settings/index.ts";

type Values = Readonly<Record<string, unknown>>;

/** The command line with every setting written out but where its result goes. */
export function commandLine(command: string, paths: readonly string[], settings: z.ZodObject, values: Values): string {
  const words = given(settings, values)
    .filter(([{ facts }]) => facts.role !== "place")
    .map(([{ facts }, value]) => (value === true ? facts.flag : `${facts.flag} ${quoted(value)}`));
  return invocation(command, ...paths.map((path) => quoted(relative("", path) || path)), ...words);
}

/** What the result of a run depends on, as far as settings say. */
export function decidingSettings(settings: z.ZodObject, values: Values): Values {
  const apart = new Set(fieldsOf(settings).flatMap(({ name, facts }) => (facts.role ? [name] : [])));
  return Object.fromEntries(Object.entries(values).filter(([name]) => !apart.has(name)));
}

/** The settings that were given, as words. */
function given(settings: z.ZodObject, values: Values): [Field, string | true][] {
  return fieldsOf(settings).flatMap((field): [Field, string | true][] => {
    const value = values[field.name];
    if (value === undefined || value === false) return [];
    return [[field, value === true ? true : writeWord(unwrapped(field.schema).schema, value)]];
  });
}

/** The settings that were given, as names and values to print. */
export function settingWords(
  settings: z.ZodObject,
  values: Values,
): { readonly name: string; readonly value: string }[] {
  return given(settings, values).map(([{ facts }, value]) => ({
    name: facts.flag.slice(2),
    value: value === true ? "yes" : value,
  }));
}

/** Those of the values that a schema has; what has nothing to do stays absent. */
export function pickSettings<S extends z.ZodObject>(settings: S, values: Values): z.output<S> {
  const own = Object.fromEntries(Object.entries(values).filter(([name]) => name in settings.shape));
  settings.parse(own);
  return own as z.output<S>;
}

/** How a user starts a command. The registry's `lithe` is somebody else's package; ours is called `litheml`. */
export function invocation(...words: readonly string[]): string {
  return ["npx", "litheml", ...words].join(" ");
}

function quoted(text: string): string {
  return /^[\w./,:=-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
