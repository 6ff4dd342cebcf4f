/** @file The lines to a worker thread and to a child process. */
import { type ChildProcess, fork } from "node:child_process";
import { Worker } from "node:worker_threads";
import { builtFile } from "../../built-file.ts";
import type { Channel, LoadSpec, Reply } from "../protocol.ts";
import { END } from "./serve-thread.ts";

/** A thread of this process that runs one of the entries beside this file. It ends when the runtime has returned to it. */
export function threadChannel<Spec = LoadSpec>(entry: string): Channel<Spec> {
  const worker = new Worker(builtFile(import.meta.url, entry), { execArgv: [], stdout: false, stderr: false });
  const exited = new Promise<number>((resolve) => worker.on("exit", resolve));
  let closed = false;
  return {
    post: (request, transfer) => worker.postMessage(request, transfer),
    listen(onReply, onEnd) {
      worker.on("message", onReply);
      worker.on("messageerror", (error) => onEnd(error.message));
      worker.on("error", (error) => onEnd(error.message));
      void exited.then((code) => closed || onEnd(`its thread exited with code ${code}`));
    },
    busy(busy) {
      if (busy || closed) worker.ref();
      else worker.unref();
    },
    async close() {
      closed = true;
      worker.ref();
      worker.postMessage(END);
      await exited;
    },
  };
}

/** Variables that native libraries need; the rest of the environment stays out of a process that may be taken over. */
const passedOn =
  /^(PATH|HOME|TMPDIR|TEMP|TMP|SystemRoot|LANG|LC_.*|LD_LIBRARY_PATH|DYLD_.*|XDG_RUNTIME_DIR|VK_.*|OMP_.*)$/;

/** A process of its own, ended when its resident memory passes `memoryLimit` bytes. */
export function processChannel(memoryLimit: number | undefined): Channel {
  const child = fork(builtFile(import.meta.url, "process.js"), memoryLimit === undefined ? [] : [String(memoryLimit)], {
    execArgv: [],
    serialization: "advanced",
    stdio: ["ignore", "ignore", "pipe", "ipc"],
    env: Object.fromEntries(Object.entries(process.env).filter(([name]) => passedOn.test(name))),
  });
  const words = lastWords(child);
  const ended = new Promise<string>((resolve) => {
    child.on("error", (error) => resolve(error.message));
    child.on("close", (code, signal) => resolve(endOf(code, signal, words())));
  });
  let closed = false;
  child.unref();
  return {
    post(request) {
      child.send(request, (error) => error && child.kill("SIGKILL"));
    },
    listen(onReply, onEnd) {
      child.on("message", (message) => onReply(message as Reply));
      void ended.then((reason) => closed || onEnd(reason));
    },
    busy(busy) {
      if (busy) child.channel?.ref();
      else child.channel?.unref();
    },
    async close() {
      closed = true;
      child.ref();
      child.kill("SIGKILL");
      await ended;
    },
  };
}

const KEPT = 2000;

/** The end of what a process wrote to stderr. */
function lastWords(child: ChildProcess): () => string {
  let text = "";
  child.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
    text = (text + chunk).slice(-KEPT);
  });
  (child.stderr as unknown as { unref?(): void } | null)?.unref?.();
  return () => text.trim();
}

function endOf(code: number | null, signal: NodeJS.Signals | null, words: string): string {
  const how = signal ? `was ended by ${signal}` : `exited with code ${code}`;
  return `its process ${how}${words ? `: ${words}` : ""}`;
}
