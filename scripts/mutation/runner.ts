/** @file Orders to the process that runs tests; one that takes too long is killed with all that it started. */
import { type ChildProcess, fork } from "node:child_process";
import { join } from "node:path";

/** Test files in the order in which they run, each with the ids of the tests that are wanted, or all. */
export interface Order {
  readonly files: readonly { readonly file: string; readonly tests?: readonly string[] }[];
  readonly env: Readonly<Record<string, string>>;
}

export interface TestAnswer {
  readonly id: string;
  readonly name: string;
  readonly state: string;
  readonly ms: number;
}

export interface FileAnswer {
  readonly file: string;
  readonly failed: boolean;
  /** From start to first test. */
  readonly overheadMs: number;
  readonly errors: readonly string[];
  readonly tests: readonly TestAnswer[];
}

export interface Answer {
  readonly files: readonly FileAnswer[];
  readonly errors: readonly string[];
}

export interface Runner {
  /** The answer; "timeout" where there was none in time, "died" where the process ended. */
  run(order: Order, timeoutMs: number): Promise<Answer | "timeout" | "died">;
  stop(): void;
}

/** Runs tests in the tree `root`; `bail` failures end a run, 0 for none. */
export function startRunner(root: string, bail: number): Runner {
  let child: ChildProcess | undefined;

  const stop = (): void => {
    if (child?.pid !== undefined) killGroup(child.pid);
    child = undefined;
  };

  return {
    stop,
    run(order, timeoutMs) {
      child ??= start(root, bail);
      const current = child;
      return new Promise((resolve) => {
        const end = (answer: Answer | "timeout" | "died"): void => {
          clearTimeout(timer);
          current.removeAllListeners();
          if (typeof answer === "string") stop();
          resolve(answer);
        };
        const timer = setTimeout(() => end("timeout"), timeoutMs);
        current.once("message", (answer) => end(answer as Answer));
        current.once("exit", () => end("died"));
        current.once("error", () => end("died"));
        current.send(order);
      });
    },
  };
}

function start(root: string, bail: number): ChildProcess {
  return fork(join(root, "scripts/mutation/runner-process.ts"), [String(bail)], {
    cwd: root,
    execArgv: ["--import", join(root, "scripts/typescript.mjs")],
    detached: true,
    stdio: ["ignore", "ignore", "ignore", "ipc"],
  });
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // It has ended.
  }
}
