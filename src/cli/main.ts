#!/usr/bin/env node
/** @file The command line. Each command is loaded only when it is named. */
import { Command, CommanderError } from "commander";
import { CancelledError, LitheError, UsageError } from "../errors.ts";
import type { CommandEntry, CommandModule } from "./command.ts";
import { printable, terminal } from "./terminal.ts";
import { version } from "./version.ts";

const commands: Readonly<Record<string, CommandEntry>> = {
  inspect: {
    summary: "What a model is made of: nodes, parameters, multiply-accumulates, shapes",
    load: async () => (await import("./inspect.ts")).command,
  },
  doctor: {
    summary: "What this machine can run, and which forms pay on it",
    load: async () => (await import("./doctor.ts")).command,
  },
  bench: {
    summary: "Latency, throughput, memory and time per node of a model",
    load: async () => (await import("./bench.ts")).command,
  },
  compare: {
    summary: "Two models on the same inputs: size, latency ratio, agreement, accuracy",
    load: async () => (await import("./compare.ts")).command,
  },
  quantize: {
    summary: "Fewer bits: static, dynamic, weight-only or float16",
    load: async () => (await import("./quantize.ts")).command,
  },
  accelerate: {
    summary: "The fastest form of a model that stays right, found by measurement",
    load: async () => (await import("./accelerate.ts")).command,
  },
  report: { summary: "The HTML page of a finished run", load: async () => (await import("./report.ts")).command },
  demo: {
    summary: "The whole job on an embedded model and data set",
    load: async () => (await import("./demo.ts")).command,
  },
};

function helpText(): string {
  const width = Math.max(...Object.keys(commands).map((name) => name.length));
  const rows = Object.entries(commands).map(([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`);
  return [
    "Usage: lithe <command> [arguments] [options]",
    "",
    "Makes neural networks run faster: an ONNX model in, a smaller and faster ONNX model out, proved by measurement.",
    "",
    "Commands:",
    ...rows,
    "",
    "Every command: --json (one object on stdout), --seed N, --help. `lithe <command> --help` lists its options.",
    "",
  ].join("\n");
}

async function main(argv: readonly string[]): Promise<number> {
  const [name, ...rest] = argv;
  const json = rest.includes("--json");
  if (name === undefined || name === "--help" || name === "-h" || name === "help") {
    process.stdout.write(helpText());
    return name === undefined ? 2 : 0;
  }
  if (name === "--version" || name === "-V") {
    process.stdout.write(`${version}\n`);
    return 0;
  }
  try {
    const entry = Object.hasOwn(commands, name) ? commands[name] : undefined;
    if (!entry) throw unknownCommand(name);
    return await execute(name, entry, rest, json);
  } catch (error) {
    return fail(error, json || argv.includes("--json"));
  }
}

function unknownCommand(name: string): UsageError {
  return new UsageError("there is no such command", {
    expected: Object.keys(commands).join(", "),
    got: JSON.stringify(name),
  });
}

async function execute(name: string, entry: CommandEntry, rest: readonly string[], json: boolean): Promise<number> {
  const module = await entry.load();
  const parsed = parse(name, entry, module, rest);
  if (parsed === undefined) return 0;
  const controller = new AbortController();
  const interrupt = (): void => {
    if (controller.signal.aborted) process.exit(130);
    controller.abort(new CancelledError("interrupted"));
  };
  process.on("SIGINT", interrupt).on("SIGTERM", interrupt);
  try {
    const outcome = await module.run(parsed.args, parsed.options, terminal({ json, signal: controller.signal }));
    if (json) process.stdout.write(`${JSON.stringify(outcome.result)}\n`);
    return outcome.ok === false ? 1 : 0;
  } finally {
    process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
  }
}

interface Parsed {
  readonly args: readonly string[];
  readonly options: Readonly<Record<string, unknown>>;
}

/** Arguments and options of one command; `undefined` when only help was asked for. */
function parse(
  name: string,
  { summary }: CommandEntry,
  module: CommandModule,
  rest: readonly string[],
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
    command.parse([...rest], { from: "user" });
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return undefined;
    if (!(error instanceof CommanderError)) throw error;
    throw new UsageError(error.message.replace(/^error: /, "").replace(/\.$/, ""), {
      hint: `See lithe ${name} --help.`,
    });
  }
  return { args: command.args, options: command.opts() };
}

/** Prints the error, as JSON on stdout with `--json`, and returns the exit code. */
function fail(error: unknown, json: boolean): number {
  const known = error instanceof LitheError;
  const facts = known ? error.toJSON() : { name: "InternalError", message: String(error) };
  if (json) process.stdout.write(`${JSON.stringify({ error: facts })}\n`);
  else process.stderr.write(`${printable(`${facts.name}: ${facts.message}`)}\n`);
  if (!known && error instanceof Error && process.env.LITHE_DEBUG) process.stderr.write(`${error.stack}\n`);
  if (error instanceof CancelledError) return 130;
  return error instanceof UsageError ? 2 : 1;
}

process.exitCode = await main(process.argv.slice(2));
