/** @file Processes that do nothing but keep processors busy. */
import { spawn } from "node:child_process";
import { once } from "node:events";

/** Runs `work` beside so many busy processes, which run before it begins. */
export async function besideBusy<T>(count: number, work: () => Promise<T>): Promise<T> {
  const busy = Array.from({ length: count }, () =>
    spawn(process.execPath, ["-e", "process.stdout.write('on'); for (;;);"], { stdio: ["ignore", "pipe", "ignore"] }),
  );
  try {
    for (const { stdout } of busy) await once(stdout, "data");
    return await work();
  } finally {
    for (const child of busy) child.kill("SIGKILL");
  }
}
