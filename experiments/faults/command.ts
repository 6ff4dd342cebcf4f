/** @file The command line as a user starts it. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const entry = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly seconds: number;
}

/** Runs `lithe` with these words; what takes longer than `seconds` is killed, which its signal tells. `by` is the entry of another build, `env` is added. */
export function runCommand(
  words: readonly string[],
  seconds = 120,
  by = entry,
  env: NodeJS.ProcessEnv = {},
): Promise<Ended> {
  const began = performance.now();
  const child = spawn(process.execPath, [by, ...words], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...env },
  });
  const killer = setTimeout(() => child.kill("SIGKILL"), 1000 * seconds);
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => {
      clearTimeout(killer);
      resolve({ code, signal, stdout, stderr, seconds: (performance.now() - began) / 1000 });
    });
  });
}
