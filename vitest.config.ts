import { readdirSync, readFileSync } from "node:fs";
import { defineConfig } from "vitest/config";

const every = ["src", "test"].flatMap((folder) =>
  readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".test.ts"))
    .map((path) => `${folder}/${path}`),
);

/** What a test needs a process of its own for: the native runtime, other processes, modules and settings that it replaces. */
const alone =
  /openSession|openReplica|openPartition|spawn|fork\(|execFile|\bvi\.|process\.env|worker_threads|runCli|runtime\/node|shared\.ts|chromium|lithe\(|litheJson|killed/i;

const together = every.filter((path) => !alone.test(readFileSync(path, "utf8")));

export default defineConfig({
  test: {
    globalSetup: ["test/setup.ts"],
    setupFiles: ["test/seed.ts"],
    // What hangs ends; nothing that works on a busy machine does. No test has a time of its own.
    testTimeout: 900_000,
    hookTimeout: 900_000,
    maxWorkers: 2,
    // A test that runs away fails by itself, before the machine runs out of memory and takes other processes.
    execArgv: ["--max-old-space-size=3072"],
    projects: [
      { extends: true, test: { name: "fast", include: together, isolate: false } },
      {
        extends: true,
        test: { name: "whole", include: every.filter((path) => !together.includes(path)) },
      },
    ],
  },
});
