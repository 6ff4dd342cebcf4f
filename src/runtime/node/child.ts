/** @file Processes that hold sessions: started, kept for the next session, ended with this one. */
import { type ChildProcess, spawn } from "node:child_process";
import type { Duplex } from "node:stream";
import { builtFile } from "../../built-file.ts";
import { RuntimeError } from "../../errors.ts";
import type { End, Reply, Request } from "../protocol.ts";
import { readFrames, sendFrame } from "./frames.ts";

export type ChildEntry = "process.js" | "group-process.js";

/** One process on the other end of a stream. */
export interface Child {
  send(message: Request<never> | MemoryLimit): void;
  /** Who hears its answers and its end; one at a time. */
  listen(onReply: (reply: Reply) => void, onEnd: (end: End) => void): void;
  /** Whether the program waits for it. */
  hold(held: boolean): void;
  /** Whether it has ended. */
  readonly isEnded: boolean;
  kill(): Promise<void>;
}

/** The bytes that the process may take; 0 for as many as there are. */
export interface MemoryLimit {
  readonly memoryLimit: number;
}

/** Variables that native libraries need; the rest of the environment stays out of a process that may be taken over. */
const passedOn =
  /^(PATH|HOME|TMPDIR|TEMP|TMP|SystemRoot|LANG|LC_.*|LD_LIBRARY_PATH|DYLD_.*|XDG_RUNTIME_DIR|VK_.*|OMP_.*)$/;

/** Every process that has not ended. This one takes them along, whatever they are doing. */
const living = new Set<ChildProcess>();

process.on("exit", () => {
  for (const child of living) child.kill("SIGKILL");
});

export function startChild(entry: ChildEntry): Child {
  const child = spawn(process.execPath, [builtFile(import.meta.url, entry), String(process.pid)], {
    stdio: ["ignore", "ignore", "pipe", "pipe"],
    env: Object.fromEntries(Object.entries(process.env).filter(([name]) => passedOn.test(name))),
    windowsHide: true,
  });
  // Without a number it was never started; an error says so later, to nobody.
  if (child.pid === undefined) {
    child.on("error", () => undefined);
    throw new RuntimeError("a process for the model could not be started", {
      hint: "The system may have no room for more processes or open files.",
    });
  }
  living.add(child);
  const stream = child.stdio[3] as Duplex & Held;
  const handles: readonly Held[] = [child, stream, child.stderr as unknown as Held];
  const words = lastWords(child);
  let onReply: (reply: Reply) => void = () => undefined;
  let onEnd: (end: End) => void = () => undefined;
  let isEnded = false;
  let unreadable: string | undefined;
  const ended = endOf(child, words).then((end) => {
    living.delete(child);
    isEnded = true;
    onEnd(unreadable === undefined ? end : { reason: `its answer could not be read: ${unreadable}` });
  });
  // A process that ends while a message is on its way says why by its end, not by the broken stream.
  stream.on("error", () => undefined);
  const broken = (error: Error): void => {
    unreadable = error.message;
    child.kill("SIGKILL");
  };
  readFrames(stream, (message) => onReply(message as Reply), broken);
  const self: Child = {
    send: (message) => sendFrame(stream, message),
    listen(reply, end) {
      onReply = reply;
      onEnd = end;
    },
    hold(held) {
      for (const handle of handles) held ? handle.ref() : handle.unref();
    },
    get isEnded() {
      return isEnded;
    },
    async kill() {
      self.hold(true);
      child.kill("SIGKILL");
      await ended;
    },
  };
  self.hold(false);
  return self;
}

interface Held {
  ref(): void;
  unref(): void;
}

const KEPT = 2000;

/** The end of what a process wrote to stderr. */
function lastWords(child: ChildProcess): () => string {
  let text = "";
  child.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
    text = (text + chunk).slice(-KEPT);
  });
  return () => text.trim();
}

/** What the watchdog of a process says before it ends it; the limit and what was taken follow. */
export const OVER_MEMORY = "over its memory limit";

async function endOf(child: ChildProcess, words: () => string): Promise<End> {
  return new Promise((resolve) => {
    child.on("error", (error) => resolve({ reason: `its process could not be started: ${error.message}` }));
    child.on("close", (code, signal) => {
      const said = words();
      const how = signal ? `was ended by ${signal}` : `exited with code ${code}`;
      const reason = `its process ${how}${said ? `: ${said}` : ""}`;
      resolve(said.includes(OVER_MEMORY) ? { reason, limit: "memory" } : { reason });
    });
  });
}
