import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["src/**/*.test.ts", "test/**/*.test.ts"],
    globalSetup: ["test/setup.ts"],
    setupFiles: ["test/seed.ts"],
    // What hangs ends; nothing that works on a busy machine does. No test has a time of its own.
    testTimeout: 900_000,
    hookTimeout: 900_000,
    maxWorkers: 2,
    // A test that runs away fails by itself, before the machine runs out of memory and takes other processes.
    execArgv: ["--max-old-space-size=3072"],
  },
});
