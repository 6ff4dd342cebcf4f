/** @file What was measured of a machine, on disk: one file per kind, processor, runtime version, provider and number of threads. */
import { createHash } from "node:crypto";
import { homedir } from "node:os";
import { join } from "node:path";
import type { ZodType } from "zod";
import { writeAtomically } from "../../atomic-file.ts";
import { readText } from "../../file-system.ts";
import { describeHardware, type ExecutionProvider } from "../../runtime/index.ts";

interface Measured {
  readonly ep: string;
  readonly threads: number;
}

/** Where it was put. */
export async function keepMeasured(
  kind: string,
  table: Measured & { readonly ep: ExecutionProvider },
): Promise<string> {
  const path = await pathOf(kind, table.ep, table.threads);
  await writeAtomically(path, JSON.stringify(table));
  return path;
}

/** What was kept for the provider and threads on this machine; `undefined` where nothing was, or it cannot be read. */
export async function knownMeasured<T extends Measured>(
  kind: string,
  ep: ExecutionProvider,
  threads: number,
  schema: ZodType<T>,
): Promise<T | undefined> {
  try {
    const table: unknown = JSON.parse(await readText(await pathOf(kind, ep, threads)));
    const { success, data } = schema.safeParse(table);
    return success && data.ep === ep && data.threads === threads ? data : undefined;
  } catch {
    return undefined;
  }
}

async function pathOf(kind: string, ep: ExecutionProvider, threads: number): Promise<string> {
  const { cpu, flags, runtimes, node } = await describeHardware();
  const identity = JSON.stringify([cpu, flags, [...runtimes], node, ep, threads, 1]);
  const digest = createHash("sha256").update(identity).digest("hex").slice(0, 16);
  return join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "lithe", `${kind}-${digest}.json`);
}
