/** @file Progress: a bar with rate and time left on a terminal, sentences elsewhere, JSON lines for programs. */

import type { ProgressEvent } from "../job/console.ts";
import { printable } from "../printable.ts";

export interface Meter {
  show(event: ProgressEvent): void;
  /** Makes room for other text. */
  clear(): void;
}

const WIDTH = 20;

/** The text of a bar; without a total there is no bar and no time left. That of the whole job takes the place of that of its part. */
export function progressText({ stage, done, total, detail, whole }: ProgressEvent, perSecond: number): string {
  if (whole) {
    const part = [stage, total > 0 ? `${done}/${total}` : "", detail ?? ""].filter(Boolean).join(" ");
    return `${drawn(whole.done, whole.total)} ${wholeText(whole)} · ${part}`;
  }
  const rate = perSecond > 0 ? `${perSecond.toFixed(1)}/s` : "";
  const left = perSecond > 0 && total > 0 ? `${duration((total - done) / perSecond)} left` : "";
  const bar = total > 0 ? `${drawn(done, total)} ${done}/${total}` : "";
  const count = total === 0 && done > 0 ? String(done) : "";
  const times = [rate, left].filter(Boolean).join(", ");
  return [stage, bar, count, times, detail ?? ""].filter(Boolean).join(" ");
}

function drawn(done: number, total: number): string {
  const filled = Math.max(0, Math.min(WIDTH, Math.round((WIDTH * done) / total)));
  return `[${"#".repeat(filled)}${"-".repeat(WIDTH - filled)}]`;
}

/** `form 3 of 14 · 38 of 60 s`. */
function wholeText({ part, done, total }: NonNullable<ProgressEvent["whole"]>): string {
  return `${part} · ${Math.min(Math.floor(done), total)} of ${total} s`;
}

/** Redraws one line; `columns` is the width of the terminal. */
export function bar(write: (text: string) => void, columns: () => number, color = false): Meter {
  const started = new Map<string, { time: number; done: number }>();
  let isDrawn = false;
  return {
    show(event) {
      const now = Date.now();
      const start = started.get(event.stage) ?? { time: now, done: event.done };
      started.set(event.stage, start);
      const perSecond = (event.done - start.done) / Math.max(1e-3, (now - start.time) / 1000);
      const text = printable(progressText(event, perSecond)).slice(0, columns() - 1);
      write(`\r\u001b[2K${color ? coloured(text) : text}`);
      isDrawn = true;
    },
    clear() {
      if (isDrawn) write("\r\u001b[2K");
      isDrawn = false;
    },
  };
}

/** The filled part of the bar in green. */
function coloured(text: string): string {
  return text.replace(/#+/, (filled) => `\u001b[32m${filled}\u001b[39m`);
}

/** Milliseconds between sentences of one stage. */
const PAUSE = 10_000;

/** A sentence for the beginning of every stage, and one now and then while it lasts, for a log that people read. */
export function sentences(write: (text: string) => void): Meter {
  const last = new Map<string, number>();
  return {
    show({ stage, done, total, detail, whole }) {
      const now = Date.now();
      if (now - (last.get(stage) ?? Number.NEGATIVE_INFINITY) < PAUSE) return;
      last.set(stage, now);
      const count = total > 0 ? ` ${done} of ${total}` : done > 0 ? ` ${done}` : "";
      const more = detail ? `, ${detail}` : "";
      write(`${printable(`${whole ? `${wholeText(whole)}: ` : ""}${stage}${count}${more}`)}\n`);
    },
    clear: () => undefined,
  };
}

/** One JSON line per change, at most four in a second for each stage; its end is always told. */
export function lines(write: (text: string) => void): Meter {
  const last = new Map<string, number>();
  return {
    show(event) {
      const now = Date.now();
      const isEnd = event.total > 0 && event.done >= event.total;
      const isNew = !last.has(event.stage);
      if (!isEnd && !isNew && now - last.get(event.stage)! < 250) return;
      last.set(event.stage, now);
      write(`${jsonLine({ type: "progress", ...event })}\n`);
    },
    clear: () => undefined,
  };
}

function duration(seconds: number): string {
  const whole = Math.max(0, Math.ceil(seconds));
  if (whole < 90) return `${whole} s`;
  return `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

/** One line of JSON; what a terminal would take for a command stands in it as an escape of JSON. */
export function jsonLine(value: unknown): string {
  return printable(JSON.stringify(value));
}
