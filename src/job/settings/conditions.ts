/** @file Options that have something to do only beside others: stated once, read by the help text and by the refusal. */
import type { Command, Option } from "commander";
import { UsageError } from "../../errors.ts";

type Values = Readonly<Record<string, unknown>>;

/** When an option has something to do. */
export interface Condition {
  /** What stands before the description of the option. */
  readonly label: string;
  /** What has to be given beside it. */
  readonly expected: string;
  /** What is given in its place. */
  got(values: Values): string;
  holds(values: Values): boolean;
}

const conditions = new WeakMap<Option, Condition>();

/** The option, which only counts under the condition and says so where it is described. */
export function only(condition: Condition, option: Option): Option {
  conditions.set(option, condition);
  option.description = `${condition.label}: ${option.description}`;
  return option;
}

/** Another option has one of these values. */
export function among(flag: string, ...values: readonly string[]): Condition {
  const key = keyOf(flag);
  return {
    label: values.join(", "),
    expected: `${flag} ${values.join(" or ")}`,
    got: (given) => `${flag} ${given[key]}`,
    holds: (given) => values.includes(String(given[key])),
  };
}

/** Another option has any value but this one. */
export function unless(flag: string, value: string): Condition {
  const key = keyOf(flag);
  return {
    label: `unless ${flag} ${value}`,
    expected: `another ${flag}`,
    got: () => `${flag} ${value}`,
    holds: (given) => given[key] !== value,
  };
}

/** Another option is given. */
export function beside(flag: string): Condition {
  const key = keyOf(flag);
  return {
    label: `with ${flag}`,
    expected: `${flag} beside it`,
    got: () => `no ${flag}`,
    holds: (given) => given[key] !== undefined,
  };
}

/** The data are files, neither made up nor embedded. */
export const onFiles: Condition = {
  label: "files",
  expected: "--data PATH of files",
  got: ({ data }) => (data === undefined ? "no --data" : `--data ${data}`),
  holds: ({ data }) => data !== undefined && data !== "random" && data !== "demo",
};

/** The command runs the model only where data are given. */
export const withData: Condition = beside("--data");

/** Whether the command makes up the inputs of its models: as it is told to, or as it runs them whether data are given or not. */
export function isRandom({ options }: Command, { data }: Values): boolean {
  const has = (condition: Condition) => options.some((option) => conditions.get(option) === condition);
  if (!has(onFiles)) return false;
  return data === "random" || (data === undefined && !has(withData));
}

/** The condition of an option, if it has one. */
export function conditionOf(option: Option): Condition | undefined {
  return conditions.get(option);
}

/**
 * What the command hands over: its options without those that have nothing to do, so that nothing later can take them for chosen.
 *
 * @throws UsageError for such an option that was given
 */
export function optionsInForce(command: Command): Values {
  const values: Values = command.opts();
  const idle = command.options.filter((option) => conditions.get(option)?.holds(values) === false);
  for (const option of idle) {
    if (command.getOptionValueSource(option.attributeName()) !== "cli") continue;
    const { expected, got } = conditions.get(option)!;
    throw new UsageError(`${option.long} has nothing to do`, { expected, got: got(values) });
  }
  const names = new Set(idle.map((option) => option.attributeName()));
  return Object.fromEntries(Object.entries(values).filter(([name]) => !names.has(name)));
}

/** The name of an option's value. */
function keyOf(flag: string): string {
  return flag.replace(/^--/, "").replace(/-./g, ([, letter]) => letter!.toUpperCase());
}
