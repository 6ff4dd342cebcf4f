/** @file What a command is. */
import type * as z from "zod";
import type { Console, Outcome } from "../job/console.ts";

export interface CommandModule<S extends z.ZodObject = z.ZodObject> {
  /** The words before its flags, with what they say: `<model>`, or `[config]` for one that may be left out. */
  readonly operands: readonly (readonly [name: string, description: string])[];
  readonly settings: S;
  run(operands: readonly string[], settings: z.output<S>, console: Console): Promise<Outcome>;
}

/** The command, its settings typed by their schema. */
export function defineCommand<S extends z.ZodObject>(command: CommandModule<S>): CommandModule<S> {
  return command;
}

export interface CommandEntry {
  readonly summary: string;
  /** Two commands that users begin with. */
  readonly examples: readonly [string, string];
  readonly load: () => Promise<CommandModule>;
  /** It executes no model itself, so that there is nothing to bound. */
  readonly runsNothing?: boolean;
}
