/** @file Form tables on disk, one per machine, runtime version, provider and number of threads. */
import { createHash } from "node:crypto";
import { homedir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { writeAtomically } from "../../atomic-file.ts";
import { readText } from "../../file-system.ts";
import type { FormTable } from "../../quantize/index.ts";
import { describeHardware, type ExecutionProvider } from "../../runtime/index.ts";

/** As much of a table as reading it relies on. */
const schema = z.looseObject({
  ep: z.string(),
  threads: z.number(),
  entries: z.array(
    z.looseObject({
      product: z.string(),
      form: z.string(),
      ratio: z.number().optional(),
      spread: z.tuple([z.number(), z.number()]).optional(),
      reason: z.string().optional(),
    }),
  ),
});

export async function keepFormTable(table: FormTable): Promise<string> {
  const path = await cachePath("forms", table.ep, table.threads);
  await writeAtomically(path, JSON.stringify(table));
  return path;
}

/** The table measured earlier for this machine; `undefined` when there is none or it cannot be read. */
export async function knownFormTable(ep: ExecutionProvider, threads: number): Promise<FormTable | undefined> {
  try {
    const table: unknown = JSON.parse(await readText(await cachePath("forms", ep, threads)));
    const { success, data } = schema.safeParse(table);
    return success && data.ep === ep && data.threads === threads ? (data as unknown as FormTable) : undefined;
  } catch {
    return undefined;
  }
}

/** The file of what was measured of a kind. */
export async function cachePath(kind: string, ep: ExecutionProvider, threads: number): Promise<string> {
  const { cpu, flags, runtimes, node } = await describeHardware();
  const identity = JSON.stringify([cpu, flags, [...runtimes], node, ep, threads, 1]);
  const digest = createHash("sha256").update(identity).digest("hex").slice(0, 16);
  return join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "lithe", `${kind}-${digest}.json`);
}
