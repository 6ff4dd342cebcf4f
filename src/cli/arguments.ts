/** @file Arguments and options of one command, from words. */
import { Command, CommanderError } from "commander";
import { UsageError } from "../errors.ts";
import type { CommandModule } from "./command.ts";

export interface Parsed {
  readonly args: readonly string[];
  readonly options: Readonly<Record<string, unknown>>;
}

/**
 * Reads the words after the command's name; `undefined` when only help was asked for, which is printed.
 *
 * @throws UsageError that names the wrong word and, where there is a list, the valid ones
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
  return { args: command.args, options: command.opts() };
}
