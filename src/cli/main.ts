#!/usr/bin/env node
/** @file The command line: one command, one exit code, with `--json` one object on stdout whatever happens. */
import { CancelledError, LitheError, UsageError } from "../errors.ts";
import { fileError } from "../file-system.ts";
import { version } from "../job/version.ts";
import { printable } from "../printable.ts";
import type { Parsed } from "./arguments.ts";
import type { CommandEntry, CommandModule } from "./command.ts";
import { commands, helpText } from "./commands.ts";
import { withDataHint } from "./data-hint.ts";
import { jsonLine, terminal } from "./terminal.ts";
import { guardAnswer } from "./unanswered.ts";

/** As a shell reports a process that Ctrl-C has ended. */
const INTERRUPTED = 130;

async function main(words: readonly string[]): Promise<number> {
  const [name, ...rest] = words;
  if (name === undefined || name === "--help" || name === "-h" || name === "help") {
    process.stdout.write(helpText());
    return name === undefined ? 2 : 0;
  }
  if (name === "--version" || name === "-V") {
    process.stdout.write(`${version}\n`);
    return 0;
  }
  const json = words.includes("--json");
  try {
    const entry = Object.hasOwn(commands, name) ? commands[name] : undefined;
    if (!entry) throw await unknownCommand(name);
    return await execute(name, entry, rest, json);
  } catch (error) {
    return fail(error, json);
  }
}

async function unknownCommand(name: string): Promise<UsageError> {
  const names = Object.keys(commands);
  const near = (await import("./arguments.ts")).nearest(name, names);
  const hint = near === undefined ? "See lithe --help." : `Did you mean ${near}?`;
  return new UsageError("there is no such command", { expected: names.join(", "), got: JSON.stringify(name), hint });
}

async function execute(name: string, entry: CommandEntry, words: readonly string[], json: boolean): Promise<number> {
  const { parseArguments } = await import("./arguments.ts");
  const module = await limited(entry);
  const parsed = parseArguments(name, entry.summary, module, words, entry.examples);
  if (parsed === undefined) return 0;
  const controller = new AbortController();
  const { signal } = controller;
  const console = terminal({ json, signal, quiet: words.includes("--quiet"), color: colorOf(words) });
  const interrupt = (): void => {
    if (signal.aborted) process.exit(INTERRUPTED);
    console.say("Stopping after the step at hand; Ctrl-C once more ends at once.");
    controller.abort(new CancelledError("interrupted"));
  };
  process.on("SIGINT", interrupt).on("SIGTERM", interrupt);
  try {
    const { result, ok = true } = await module.run(parsed.operands, parsed.settings, console);
    if (json) process.stdout.write(`${jsonLine(result)}\n`);
    return ok ? 0 : 1;
  } catch (error) {
    if (!signal.aborted || error instanceof CancelledError) throw await explained(error, parsed);
    throw new CancelledError("interrupted", { cause: error });
  } finally {
    console.close();
    process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
  }
}

/** The error with the way out that only the command knows. */
async function explained(error: unknown, parsed: Parsed): Promise<unknown> {
  const { withAllPackages } = await import("./missing-packages.ts");
  return withDataHint(await withAllPackages(error, parsed), parsed);
}

/** The command with bounds on what it runs. */
async function limited({ load, runsNothing = false }: CommandEntry): Promise<CommandModule> {
  const module = await load();
  return runsNothing ? module : (await import("./limits.ts")).withLimits(module);
}

/** As https://no-color.org says, where stderr is a terminal. */
function colorOf(words: readonly string[]): boolean {
  return process.stderr.isTTY && !process.env.NO_COLOR && process.env.TERM !== "dumb" && !words.includes("--no-color");
}

/** What the system refused behind lithe's back, as a named error. */
function namedError(error: unknown): unknown {
  const path = error instanceof Error && "path" in error ? String(error.path) : "the file system";
  return fileError("go on", path, error);
}

/** Prints the error, as JSON on stdout with `--json`, and returns the exit code. */
function fail(thrown: unknown, json: boolean): number {
  const error = namedError(thrown);
  const known = error instanceof LitheError;
  const facts = known ? error.toJSON() : { name: "InternalError", message: String(error) };
  if (json) process.stdout.write(`${jsonLine({ error: facts })}\n`);
  else process.stderr.write(`${printable(`${facts.name}: ${facts.message}`)}\n`);
  if (!known && error instanceof Error && process.env.LITHE_DEBUG)
    process.stderr.write(`${error.stack?.split("\n").map(printable).join("\n")}\n`);
  if (error instanceof CancelledError) return INTERRUPTED;
  return error instanceof UsageError ? 2 : 1;
}

/** A reader that has gone away, as `| head` does, is no failure. */
process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));

const guard = guardAnswer(process.argv.includes("--json"));
process.exitCode = await main(process.argv.slice(2));
guard.answered();
