/** @file A setting: a zod schema, and what a flag, a form or a page says of it. */
import * as z from "zod";
import type { Condition } from "./condition.ts";

export interface SettingFacts {
  /** `--threads`. */
  readonly flag: string;
  /** `-o`. */
  readonly short?: string;
  /** What stands for its value in a line of help: `n` of `--threads <n>`; absent where the flag has none. */
  readonly placeholder?: string;
  readonly description: string;
  /** When it has something to do; always when absent. */
  readonly condition?: Condition;
  /** It says where a result goes or whether one is made (`place`), or how long that may take (`pace`): not what the result is. */
  readonly role?: "place" | "pace";
  /** What a flag may say, where a file may say more. */
  readonly word?: z.ZodType;
}

const known = new WeakMap<z.core.$ZodType, SettingFacts>();

/** The schema, told under a flag such as `-o, --out <file>`. */
export function setting<S extends z.ZodType>(
  flags: string,
  description: string,
  schema: S,
  more: Pick<SettingFacts, "role" | "word"> = {},
): S {
  const [, short, flag, placeholder] = /^(?:(-\w), )?(--[\w-]+)(?: <([^>]+)>)?$/.exec(flags) ?? [];
  if (flag === undefined) throw new RangeError(`a flag is written as "--name" or "-n, --name <value>": ${flags}`);
  known.set(schema, { flag, description, ...(short && { short }), ...(placeholder && { placeholder }), ...more });
  return schema;
}

/** The setting, which only counts under the condition and says so where it is described. */
export function only<S extends z.ZodType>(condition: Condition, schema: S): z.ZodExactOptional<S> {
  const facts = known.get(schema)!;
  const conditional = schema.exactOptional();
  known.set(conditional, { ...facts, condition, description: `${condition.label}: ${facts.description}` });
  return conditional;
}

/** A setting of a schema under its name. */
export interface Field {
  readonly name: string;
  readonly schema: z.ZodType;
  readonly facts: SettingFacts;
}

/** The settings of an object that have a flag, in order. */
export function fieldsOf(schema: z.ZodObject): Field[] {
  return Object.entries(schema.shape).flatMap(([name, field]) => {
    const facts = known.get(field);
    return facts ? [{ name, schema: field as z.ZodType, facts }] : [];
  });
}

/** What a schema is when a value is given, and what it is taken for when none is. */
export function unwrapped(schema: z.core.$ZodType): {
  readonly schema: z.core.$ZodType;
  readonly usual?: unknown;
  readonly isRequired: boolean;
} {
  if (schema instanceof z.ZodDefault) {
    return { ...unwrapped(schema._zod.def.innerType), usual: schema._zod.def.defaultValue, isRequired: false };
  }
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodExactOptional) {
    return { ...unwrapped(schema._zod.def.innerType), isRequired: false };
  }
  return { schema, isRequired: true };
}
