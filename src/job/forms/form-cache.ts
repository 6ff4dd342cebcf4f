/** @file Form tables on disk. */
import { z } from "zod";
import type { FormTable } from "../../quantize/index.ts";
import type { ExecutionProvider } from "../../runtime/index.ts";
import { keepMeasured, knownMeasured } from "./machine-cache.ts";

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

export function keepFormTable(table: FormTable): Promise<string> {
  return keepMeasured("forms", table);
}

/** The table measured earlier for this machine; `undefined` when there is none or it cannot be read. */
export async function knownFormTable(ep: ExecutionProvider, threads: number): Promise<FormTable | undefined> {
  return (await knownMeasured("forms", ep, threads, schema)) as unknown as FormTable | undefined;
}
