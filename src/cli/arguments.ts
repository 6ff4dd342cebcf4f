/** @file Arguments and options of one command, from words. */
import { Command, CommanderError } from "commander";
import { UsageError } from "../errors.ts";
import { isRandom, optionsInForce } from "../job/settings/conditions.ts";
import type { CommandModule } from "./command.ts";

export interface Parsed {
  readonly args: readonly string[];
  readonly options: Readonly<Record<string, unknown>>;
  /** Whether the command makes up the inputs of its models. */
  readonly isRandom: boolean;
}

/**
 * Reads the words after the command's name; `undefined` when only help was asked for, which is printed.
 *
 * @throws UsageError that names the wrong word and, where there is a list, the valid ones; and for an option that would have no effect
 */
export function parseArguments(
  name: string,
  summary: string,
  module: CommandModule,
  words: readonly string[],
): Parsed | undefined {
  const command = new Command(`lithe ${name}`)
    .description(summary)
    .exitOverride()
    .configureOutput({ writeErr: () => undefined })
    .allowExcessArguments(false)
    .option("--json", "print one JSON object on stdout, logs on stderr")
    .showHelpAfterError(false);
  module.declare(command);
  try {
    command.parse([...words], { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return undefined;
    const summary = error.message.replace(/^error: /, "").replace(/\.$/, "");
    throw new UsageError(summary, { hint: `See lithe ${name} --help.` });
  }
  checkNotEmpty(command);
  const options = optionsInForce(command);
  return { args: command.args, options, isRandom: isRandom(command, options) };
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
