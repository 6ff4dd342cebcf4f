/** @file From settings to flags of a command line, and from its words to settings. */
import { type Command, InvalidArgumentError, Option } from "commander";
import * as z from "zod";
import { UsageError } from "../../errors.ts";
import {
  type Field,
  fieldsOf,
  keyOf,
  readWord,
  type SettingFacts,
  setting,
  unwrapped,
  writeWord,
} from "../../settings/index.ts";
import { onFiles, withData } from "./settings.ts";

type Values = Readonly<Record<string, unknown>>;

/** A flag for every setting that has one, in the group of the help that `groupOf` names. */
export function declareFlags(
  command: Command,
  settings: z.ZodObject,
  groupOf: (field: Field) => string | undefined = () => undefined,
): void {
  for (const field of fieldsOf(settings)) {
    const [option, group] = [optionOf(field), groupOf(field)];
    command.addOption(group === undefined ? option : option.helpGroup(group));
  }
}

/** @throws RangeError for a setting under another name than that of its flag */
function optionOf({ name, schema, facts }: Field): Option {
  const { flag, placeholder, description, word } = facts;
  if (keyOf(flag) !== name) throw new RangeError(`the setting ${name} cannot be found under ${flag}`);
  const { usual, isRequired } = unwrapped(schema);
  const { schema: inner } = unwrapped(word ?? schema);
  const option = new Option(flagWords(facts), isRequired ? `${description} (required)` : description);
  if (inner instanceof z.ZodLiteral) option.choices([...inner.values].map(String));
  const { parseArg: refusing } = option;
  if (placeholder) option.argParser((text) => checkedWord(inner, refusing ? String(refusing(text, "")) : text));
  if (isRequired) option.makeOptionMandatory();
  return usual === undefined ? option : option.default(usual, toldDefault(schema, usual));
}

/** A default as a user would write it. */
function toldDefault(schema: z.ZodType, usual: unknown): string {
  return usual === false ? "no" : writeWord(unwrapped(schema).schema, usual) || "none";
}

/** `-o, --out <file>`. */
function flagWords({ short, flag, placeholder }: SettingFacts): string {
  return [short && `${short},`, flag, placeholder && `<${placeholder}>`].filter(Boolean).join(" ");
}

function checkedWord(schema: z.core.$ZodType, text: string): unknown {
  const { success, data, error } = z.safeParse(schema, readWord(schema, text));
  if (success) return data;
  throw new InvalidArgumentError(error.issues[0]!.message);
}

/**
 * The settings that a command was given, without those that have nothing to do, so that nothing later can take them for chosen.
 *
 * @throws UsageError for such a setting that was given
 */
export function settingsOf<S extends z.ZodObject>(command: Command, settings: S): z.output<S> {
  const fields = fieldsOf(settings);
  const given = command.opts();
  const values = Object.fromEntries(fields.flatMap(({ name }) => (name in given ? [[name, given[name]]] : [])));
  const idle = fields.filter(({ facts }) => facts.condition?.holds(values) === false);
  for (const { name, facts } of idle) {
    if (command.getOptionValueSource(name) !== "cli") continue;
    const { expected, got } = facts.condition!;
    throw new UsageError(`${facts.flag} has nothing to do`, { expected, got: got(values) });
  }
  const whole = settings.parse(values);
  for (const { name } of idle) delete whole[name];
  return whole;
}

/** The settings of a file as flags that go before it: they have no values of their own where the user is silent, so that the file can speak. */
export function silentFlags(settings: z.ZodObject): Record<string, z.ZodExactOptional> {
  const silent = fieldsOf(settings).map(({ name, schema, facts }) => {
    const { usual, schema: inner } = unwrapped(schema);
    const told = usual === undefined || usual === false ? "" : ` (default: ${writeWord(inner, usual)})`;
    const word = facts.word ?? (inner as z.ZodType);
    const role = facts.role && { role: facts.role };
    return [name, setting(flagWords(facts), `${facts.description}${told}`, word.exactOptional(), role)] as const;
  });
  return Object.fromEntries(silent);
}

/** Whether a command makes up the inputs of its models: as it is told to, or as it runs them whether data are given or not. */
export function isRandom(settings: z.ZodObject, { data }: Values): boolean {
  const conditions = new Set(fieldsOf(settings).map(({ facts }) => facts.condition));
  if (!conditions.has(onFiles)) return false;
  return data === "random" || (data === undefined && !conditions.has(withData));
}
