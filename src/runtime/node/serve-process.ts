/** @file What child processes do: answer the process that made them, watched by a thread, and end with it. */
import { Socket } from "node:net";
import { Worker } from "node:worker_threads";
import { printable } from "../../printable.ts";
import type { LoadSpec, Reply, Request } from "../protocol.ts";
import { type MemoryLimit, OVER_MEMORY } from "./child.ts";
import { readFrames, sendFrame } from "./frames.ts";

/** The stream to the process that made this one. */
const STREAM = 3;

/**
 * Runs beside the native code, which blocks the main thread. Native memory is counted by resident size alone, and a
 * process whose maker has ended is another's child.
 */
const watchdog = `
const { workerData: { limits, parent, over } } = require("node:worker_threads");
const { writeSync } = require("node:fs");
const end = () => process.kill(process.pid, "SIGKILL");
const isAlive = () => {
  try { return process.kill(parent, 0); } catch (error) { return error.code !== "ESRCH"; }
};
let turns = 0;
setInterval(() => {
  const limit = limits[0];
  const resident = limit > 0 ? process.memoryUsage.rss() : 0;
  if (resident > limit) {
    writeSync(2, over + ": " + resident + " of " + limit + " bytes\\n");
    end();
  }
  if (++turns % 10 > 0) return;
  if (process.platform === "win32" ? !isAlive() : process.ppid !== parent) end();
}, 10);
`;

export function serveProcess<Spec = LoadSpec>(
  answerer: (reply: (reply: Reply) => void) => (request: Request<Spec>) => void,
): void {
  const stream = new Socket({ fd: STREAM, readable: true, writable: true });
  const limits = new Float64Array(new SharedArrayBuffer(Float64Array.BYTES_PER_ELEMENT));
  const parent = Number(process.argv[2]);
  new Worker(watchdog, { eval: true, workerData: { limits, parent, over: OVER_MEMORY } }).unref();
  const answer = answerer((reply) => sendFrame(stream, reply));
  readFrames(
    stream,
    (message) => {
      if (isLimit(message)) limits[0] = message.memoryLimit;
      else answer(message as Request<Spec>);
    },
    unreadable,
  );
  stream.on("error", () => process.exit());
  stream.on("close", () => process.exit());
  // A terminal's Ctrl-C reaches the whole group; what it ends is decided by the process that was asked.
  process.on("SIGINT", () => undefined).on("SIGTERM", () => undefined);
}

/** Its words reach the maker with the end. */
function unreadable(error: Error): void {
  process.stderr.write(`a request could not be read: ${printable(error.message)}\n`, () => process.exit(1));
}

function isLimit(message: unknown): message is MemoryLimit {
  return typeof message === "object" && message !== null && "memoryLimit" in message;
}
