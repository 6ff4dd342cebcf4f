/** @file The command line as a user runs it: a process of its own, from the built files. */
import { execFile, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const main = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

export interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Place {
  readonly cwd?: string;
  /** What is added to the environment. */
  readonly env?: NodeJS.ProcessEnv;
}

export function lithe(args: readonly string[], { env, ...options }: Place = {}): Promise<Finished> {
  const all = { ...options, env: { ...process.env, ...env }, maxBuffer: 2 ** 26 };
  return new Promise((resolve) => {
    execFile(process.execPath, [main, ...args], all, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === "number" ? error.code : error ? -1 : 0, stdout, stderr });
    });
  });
}

/** A command under way: `matches` resolves when all of stderr so far does. */
export function startLithe(args: readonly string[], options: { readonly cwd?: string } = {}) {
  const child = spawn(process.execPath, [main, ...args], options);
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (text) => {
    stdout += text;
  });
  child.stderr.on("data", (text) => {
    stderr += text;
  });
  const finished = new Promise<Finished>((resolve) => {
    child.on("close", (code) => resolve({ code: code ?? -1, stdout, stderr }));
  });
  const matches = (pattern: RegExp): Promise<void> =>
    new Promise((resolve, reject) => {
      child.stderr.on("data", () => pattern.test(stderr) && resolve());
      child.on("close", () => reject(new Error(`it ended before ${pattern}: ${stderr}`)));
    });
  return { finished, matches, kill: (signal: NodeJS.Signals) => child.kill(signal) };
}

/** The one JSON object on stdout. */
export async function litheJson(args: readonly string[], options: Place = {}) {
  const finished = await lithe([...args, "--json"], options);
  return { ...finished, json: JSON.parse(finished.stdout) as Record<string, never> };
}
