/** @file Where a command writes: text for people, or with `--json` lines of JSON on stderr; names made harmless either way. */

import type { Console } from "../job/console.ts";
import { printable } from "../printable.ts";
import { bar, jsonLine, lines } from "./progress.ts";

export { jsonLine } from "./progress.ts";

export interface TerminalOptions {
  readonly json: boolean;
  readonly signal: AbortSignal;
}

export function terminal({ json, signal }: TerminalOptions): Console & { close(): void } {
  const { stdout, stderr } = process;
  const write = (text: string): void => void stderr.write(text);
  const meter = stderr.isTTY ? bar(write, () => stderr.columns ?? 100) : lines(write);
  const asText = (line: string): void => void (json ? stderr : stdout).write(`${printable(line)}\n`);
  const asJson = (message: string): void => void (message && write(`${jsonLine({ type: "log", message })}\n`));
  const log = json && !stderr.isTTY ? asJson : asText;
  return {
    json,
    signal,
    say(line) {
      meter.clear();
      log(line);
    },
    progress: (event) => meter.show(event),
    close: () => meter.clear(),
  };
}
