/** @file Trains in a process of its own and kills it. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

/**
 * Trains into the folder `path` and kills the process once it tells of `step`, where it then waits; with `delay` it goes on and is
 * killed that many milliseconds later.
 */
export function killedAt(step: number, path: string, delay?: number): Promise<void> {
  const root = fileURLToPath(new URL("../", import.meta.url));
  const script = ["--import", "./scripts/typescript.mjs", "test/trained-until-killed.ts", path];
  if (delay === undefined) script.push(String(step));
  const child = spawn(process.execPath, script, { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
  let [told, errors] = ["", ""];
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    errors += chunk;
  });
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    const isBefore = !told.includes(`step ${step}\n`);
    told += chunk;
    if (!isBefore || !told.includes(`step ${step}\n`)) return;
    if (delay === undefined) child.kill("SIGKILL");
    else setTimeout(() => child.kill("SIGKILL"), delay);
  });
  return new Promise((resolve, reject) => {
    child.on("close", (_, signal) => {
      if (signal === "SIGKILL") resolve();
      else reject(new Error(`the process was not killed: ${told} ${errors}`));
    });
  });
}
