/** @file What a command is. */
import type { Command } from "commander";
import type { Console, Outcome } from "../job/console.ts";

export interface CommandModule {
  /** Declares arguments and options. */
  declare(command: Command): void;
  run(args: readonly string[], options: Readonly<Record<string, unknown>>, console: Console): Promise<Outcome>;
}

export interface CommandEntry {
  readonly summary: string;
  readonly load: () => Promise<CommandModule>;
  /** It executes no model, so that there is nothing to bound. */
  readonly runsNothing?: boolean;
}
