/** @file A thread that is one rank of a job: it runs a command, of which rank 0 tells. */
import { parentPort, workerData } from "node:worker_threads";
import { CancelledError, UsageError } from "../errors.ts";
import type { Console, Outcome } from "../job/console.ts";
import { ownCommunicator } from "../job/ranks/own-communicator.ts";
import { isRankData, type RankMessage } from "../job/ranks/rank-thread.ts";
import { parseArguments } from "./arguments.ts";
import { commands } from "./commands.ts";
import { withLimits } from "./limits.ts";

const post = (message: RankMessage): void => parentPort?.postMessage(message);

async function run([name = "", ...rest]: readonly string[]): Promise<Outcome> {
  const entry = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (!entry) throw new UsageError("there is no such command", { got: JSON.stringify(name) });
  const module = withLimits(await entry.load());
  const parsed = parseArguments(name, entry.summary, module, rest);
  if (!parsed) return { result: {} };
  const controller = new AbortController();
  parentPort?.on("message", () => controller.abort(new CancelledError("interrupted")));
  const console: Console = {
    json: rest.includes("--json"),
    signal: controller.signal,
    say: (line) => post({ type: "say", line }),
    progress: (event) => post({ type: "progress", event }),
  };
  return await module.run(parsed.operands, parsed.settings, console);
}

try {
  const outcome = await run(isRankData(workerData) ? workerData.words : []);
  post({ type: "done", outcome });
} catch (error) {
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  post({ type: "failed", name, message });
} finally {
  await ownCommunicator()?.[Symbol.asyncDispose]();
}
