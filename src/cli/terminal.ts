/** @file The terminal: safe text, progress with rate and time left, JSON lines where there is no terminal. */
import type { Console, ProgressEvent } from "./command.ts";

/** Text from models made harmless: control characters and escape sequences are shown, not sent. */
export function printable(text: string): string {
  return text.replace(
    /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g,
    (character) => {
      return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
    },
  );
}

export interface TerminalOptions {
  readonly json: boolean;
  readonly signal: AbortSignal;
}

export function terminal({ json, signal }: TerminalOptions): Console {
  const log = json ? process.stderr : process.stdout;
  const meter = process.stderr.isTTY && !json ? bar() : lines();
  return {
    json,
    signal,
    say: (line) => {
      meter.clear();
      log.write(`${printable(line)}\n`);
    },
    progress: (event) => meter.show(event),
  };
}

interface Meter {
  show(event: ProgressEvent): void;
  clear(): void;
}

function bar(): Meter {
  const started = new Map<string, { time: number; done: number }>();
  return {
    show({ stage, done, total, detail }) {
      const now = Date.now();
      const start = started.get(stage) ?? { time: now, done };
      started.set(stage, start);
      const rate = (done - start.done) / Math.max(1e-3, (now - start.time) / 1000);
      const left = rate > 0 ? ` ${rate.toFixed(1)}/s, ${duration((total - done) / rate)} left` : "";
      const width = 20;
      const filled = total > 0 ? Math.round((width * done) / total) : 0;
      const text = `${stage} [${"#".repeat(filled)}${"-".repeat(width - filled)}] ${done}/${total}${left} ${detail ?? ""}`;
      process.stderr.write(`\r\u001b[2K${printable(text).slice(0, (process.stderr.columns ?? 100) - 1)}`);
    },
    clear: () => void process.stderr.write("\r\u001b[2K"),
  };
}

/** One JSON line per change, at most four in a second for each stage. */
function lines(): Meter {
  const last = new Map<string, number>();
  return {
    show(event) {
      const now = Date.now();
      if (event.done < event.total && now - (last.get(event.stage) ?? 0) < 250) return;
      last.set(event.stage, now);
      process.stderr.write(`${JSON.stringify({ type: "progress", ...event })}\n`);
    },
    clear: () => undefined,
  };
}

function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return "?";
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}

/** Rows under headings, columns aligned; numbers to the right. */
export function table(headings: readonly string[], rows: readonly (readonly (string | number)[])[]): string[] {
  const cells = [headings, ...rows].map((row) => row.map(String));
  const widths = headings.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  const numeric = headings.map((_, column) => rows.every((row) => typeof row[column] === "number"));
  return cells.map((row) =>
    row
      .map((cell, column) => (numeric[column] ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!)))
      .join("  ")
      .trimEnd(),
  );
}
