/** @file Where a command writes: text for people, or with `--json` lines of JSON on stderr; names made harmless either way. */

import type { Console } from "../job/console.ts";
import { printable } from "../printable.ts";
import { bar, jsonLine, lines, type Meter, sentences } from "./progress.ts";

export { jsonLine } from "./progress.ts";

export interface TerminalOptions {
  readonly json: boolean;
  readonly signal: AbortSignal;
  /** Says nothing at all: errors are printed elsewhere. */
  readonly quiet?: boolean;
  readonly color?: boolean;
}

const silent: Meter = { show: () => undefined, clear: () => undefined };

export function terminal({ json, signal, quiet = false, color = false }: TerminalOptions): Console & { close(): void } {
  const { stdout, stderr } = process;
  const write = (text: string): void => void stderr.write(text);
  const meter = quiet ? silent : meterFor({ json, color }, write);
  const asText = (line: string): void => void (json ? stderr : stdout).write(`${printable(line)}\n`);
  const asJson = (message: string): void => void (message && write(`${jsonLine({ type: "log", message })}\n`));
  const log = json && !stderr.isTTY ? asJson : asText;
  return {
    json,
    signal,
    say(line) {
      if (quiet) return;
      meter.clear();
      log(line);
    },
    progress: (event) => meter.show(event),
    close: () => meter.clear(),
  };
}

/** A bar on a terminal; elsewhere lines, of JSON for programs and of words for people. */
function meterFor({ json, color }: Pick<TerminalOptions, "json" | "color">, write: (text: string) => void): Meter {
  const { stderr } = process;
  if (stderr.isTTY) return bar(write, () => stderr.columns ?? 100, color);
  return json ? lines(write) : sentences(write);
}
