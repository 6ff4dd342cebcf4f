/** @file Entry of the child process that holds one session, with a watchdog on its memory. */
import { Worker } from "node:worker_threads";
import { serve } from "../host.ts";
import { loadBackend } from "./backend.ts";

/** Runs beside the native code, which blocks the main thread; native memory is counted by resident size alone. */
const watchdog = `
const { workerData } = require("node:worker_threads");
const { writeSync } = require("node:fs");
setInterval(() => {
  const resident = process.memoryUsage.rss();
  if (resident <= workerData) return;
  writeSync(2, "over its memory limit: " + resident + " of " + workerData + " bytes\\n");
  process.kill(process.pid, "SIGKILL");
}, 10);
`;

const limit = Number(process.argv[2]);
if (limit > 0) new Worker(watchdog, { eval: true, workerData: limit }).unref();

process.on(
  "message",
  serve(loadBackend, (reply) => process.send?.(reply)),
);
process.on("disconnect", () => process.exit());
