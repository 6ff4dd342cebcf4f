/** @file Operands and settings of one command, from words. */
import { Command, CommanderError } from "commander";
import type * as z from "zod";
import { UsageError } from "../errors.ts";
import { declareFlags, isRandom, settingsOf } from "../job/settings/flags.ts";
import type { CommandModule } from "./command.ts";
import { examplesText, groupOf } from "./help.ts";

export interface Parsed<S extends z.ZodObject = z.ZodObject> {
  readonly operands: readonly string[];
  readonly settings: z.output<S>;
  /** Whether the command makes up the inputs of its models. */
  readonly isRandom: boolean;
}

/**
 * Reads the words after the command's name; `undefined` when only help was asked for, which is printed.
 *
 * @throws UsageError that names the wrong word and, where there is a list, the valid ones; and for an option that would have no effect
 */
export function parseArguments<S extends z.ZodObject>(
  name: string,
  summary: string,
  module: CommandModule<S>,
  words: readonly string[],
  examples?: readonly string[],
): Parsed<S> | undefined {
  const command = declared(name, summary, module, examples);
  try {
    command.parse([...words], { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return undefined;
    const [sentence = "", near] = error.message.replace(/^error: /, "").split("\n");
    const advice = near === undefined ? "" : `${near.replace(/^\(|\)$/g, "")} `;
    throw new UsageError(sentence.replace(/\.$/, ""), { hint: `${advice}See lithe ${name} --help.` });
  }
  checkNotEmpty(command);
  const settings = settingsOf(command, module.settings);
  return { operands: command.args, settings, isRandom: isRandom(module.settings, settings) };
}

/** The command as commander knows it. */
export function declared(
  name: string,
  summary: string,
  { operands, settings }: Pick<CommandModule, "operands" | "settings">,
  examples?: readonly string[],
): Command {
  const command = new Command(`lithe ${name}`)
    .description(summary)
    .exitOverride()
    .configureOutput({ writeErr: () => undefined })
    .allowExcessArguments(false)
    .optionsGroup("Of every command:")
    .option("--json", "print one JSON object on stdout, logs on stderr")
    .option("--quiet", "say nothing but errors; with --json, print the object alone")
    .option("--no-color", "no colours; the variable NO_COLOR says so for all programs")
    .showHelpAfterError(false)
    .optionsGroup("Options:");
  for (const [operand, description] of operands) command.argument(operand, description);
  declareFlags(command, settings, groupOf);
  if (examples) command.addHelpText("after", examplesText(examples));
  return command;
}

/** The name that is most like a misspelt one, if any is like it: as commander finds it. */
export function nearest(word: string, names: readonly string[]): string | undefined {
  const program = new Command().exitOverride().configureOutput({ writeErr: () => undefined });
  for (const name of names) program.command(name);
  try {
    program.parse([word], { from: "user" });
  } catch (error) {
    return error instanceof Error ? /Did you mean (?:one of )?([\w-]+)/.exec(error.message)?.[1] : undefined;
  }
  return undefined;
}

/** Nothing has an empty name: a variable of the shell that is not set leaves such words. */
function checkNotEmpty(command: Command): void {
  const option = command.options.find((each) => command.getOptionValue(each.attributeName()) === "");
  if (option === undefined && !command.args.includes("")) return;
  throw new UsageError("a word of the command is empty", {
    ...(option?.long && { where: option.long }),
    hint: "Give it a value, or leave it out.",
  });
}
