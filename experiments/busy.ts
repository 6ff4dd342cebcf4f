/** @file Processes that do nothing but keep processors busy. */
import { spawn } from "node:child_process";
import { once } from "node:events";

/** Looks up now and then whether whoever started it is still there. */
const BUSY = `const parent = process.ppid;
process.stdout.write("on");
while (process.ppid === parent) for (let i = 0; i < 1e8; i++);`;

/** Runs `work` beside so many busy processes, which run before it begins. */
export async function besideBusy<T>(count: number, work: () => Promise<T>): Promise<T> {
  const busy = Array.from({ length: count }, () =>
    spawn(process.execPath, ["-e", BUSY], { stdio: ["ignore", "pipe", "ignore"] }),
  );
  try {
    for (const { stdout } of busy) await once(stdout, "data");
    return await work();
  } finally {
    for (const child of busy) child.kill("SIGKILL");
  }
}
