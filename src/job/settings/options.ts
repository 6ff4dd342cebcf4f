/** @file Options that several commands share, and how their values are read. */
import { type Command, InvalidArgumentError, Option } from "commander";
import { presets } from "../../data/index.ts";
import { executionProviders } from "../../runtime/index.ts";
import { onFiles, only } from "./conditions.ts";

/** What was parsed; each command reads it through its own narrow interface. */
export type Options = Readonly<Record<string, unknown>>;

export interface RuntimeOptions {
  readonly ep: (typeof executionProviders)[number];
  readonly threads: number;
  readonly batch?: number;
  readonly seed: number;
}

export interface InputOptions {
  readonly data?: string;
  readonly preset?: string;
  readonly preprocess?: string;
  readonly labels?: string;
}

export interface DataOptions extends InputOptions {
  readonly calibrationSamples?: number;
  readonly evalSamples?: number;
}

/** A whole number not below `least`. */
export function whole(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== "" && Number.isSafeInteger(value) && value >= least) return value;
    throw new InvalidArgumentError(`It must be a whole number, ${least} or more.`);
  };
}

/** A number within bounds, ends included. */
export function between(low: number, high: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== "" && value >= low && value <= high) return value;
    throw new InvalidArgumentError(`It must be a number from ${low} to ${high}.`);
  };
}

/** `90`, `90s`, `5m`, `1h` in seconds. */
export function seconds(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(s|m|h)?$/.exec(text);
  if (!match) throw new InvalidArgumentError("It must be a time such as 90s, 5m or 1h.");
  return Number(match[1]) * { s: 1, m: 60, h: 3600 }[(match[2] ?? "s") as "s" | "m" | "h"];
}

/** `800m`, `4g` or a number of bytes; `k`, `m` and `g` are 1024, its square and its cube. */
export function byteCount(text: string): number {
  const match = /^(\d+(?:\.\d+)?)([kmg])?b?$/i.exec(text);
  const unit = { k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, "": 1 }[(match?.[2] ?? "").toLowerCase() as "k" | "m" | "g" | ""];
  const bytes = match ? Math.floor(Number(match[1]) * unit) : 0;
  if (bytes > 0 && Number.isSafeInteger(bytes)) return bytes;
  throw new InvalidArgumentError("It must be a size such as 800m or 4g.");
}

/** A comma-separated list of names. */
export function names(text: string): readonly string[] {
  const parts = text.split(",").map((part) => part.trim());
  if (parts.every((part) => part !== "")) return parts;
  throw new InvalidArgumentError("It must be a list of names such as head,block1/*.");
}

/** A comma-separated list of known values; `none` is the empty list. */
export function list<T extends string>(values: readonly T[]): (text: string) => readonly T[] {
  return (text) => {
    if (text === "none") return [];
    const parts = text.split(",").map((part) => part.trim());
    const unknown = parts.find((part) => !values.includes(part as T));
    if (unknown === undefined) return parts as T[];
    throw new InvalidArgumentError(`"${unknown}" is not one of ${values.join(", ")}, none.`);
  };
}

/** `batch=1,length=128` as a map. */
export function parseDims(text: string): ReadonlyMap<string, number> {
  const pairs = text.split(",").map((part) => /^(.+)=(\d+)$/.exec(part.trim()));
  if (pairs.some((pair) => pair === null))
    throw new InvalidArgumentError("It must be a list such as batch=1,length=128.");
  return new Map(pairs.map((pair) => [pair![1]!, Number(pair![2])]));
}

export function choice(flags: string, description: string, values: readonly string[], fallback?: string): Option {
  const option = new Option(flags, description).choices([...values]);
  return fallback === undefined ? option : option.default(fallback);
}

/** An option with a value that is read, and one where the user is silent. */
export function valued<T>(flags: string, description: string, parse: (text: string) => T, fallback?: T): Option {
  const option = new Option(flags, description).argParser(parse);
  return fallback === undefined ? option : option.default(fallback);
}

export function declareRuntime(command: Command): Command {
  return command
    .addOption(choice("--ep <provider>", "execution provider", executionProviders, "cpu"))
    .option("--threads <n>", "threads within an operator", whole(1), 1)
    .option("--batch <n>", "samples per run (default: the model's own, or 1)", whole(1))
    .option("--seed <n>", "seed of everything random", whole(0), 1);
}

/** How many samples there are of each kind, at most, where nobody says; of those that are made up, fewer do. */
export const usualSamples = { calibration: 128, evaluation: 1000 } as const;
export const usualRandomSamples = { calibration: 16, evaluation: 32 } as const;

/** What samples are made of, without what they are labelled with. */
export function declareSamples(command: Command, use = ""): Command {
  const kinds = "folder or file with samples; `random` for random inputs, `demo` for the embedded glyphs";
  return command
    .option("--data <path>", use + kinds)
    .addOption(only(onFiles, choice("--preset <name>", "how pictures become tensors", Object.keys(presets))))
    .addOption(only(onFiles, new Option("--preprocess <file>", "the same as a JSON file")));
}

/** What samples are made of. */
export function declareInputs(command: Command): Command {
  return declareSamples(command).addOption(
    only(onFiles, new Option("--labels <file>", "a file of labels, or the name of a column or array")),
  );
}

export function declareData(command: Command): Command {
  const { calibration, evaluation } = usualSamples;
  const random = usualRandomSamples;
  const usual = [`(${calibration}, ${random.calibration} random)`, `(${evaluation}, ${random.evaluation} random)`];
  return declareInputs(command)
    .option("--calibration-samples <n>", `samples for calibration ${usual[0]}`, whole(1))
    .option("--eval-samples <n>", `samples for evaluation, at most ${usual[1]}`, whole(1));
}
