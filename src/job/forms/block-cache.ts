/** @file Blocks of kernels on disk, beside the form tables. */
import { z } from "zod";
import { type KernelBlocks, type KernelBlockTable, measureKernelBlocks } from "../../measure/index.ts";
import { type ExecutionProvider, openSession } from "../../runtime/index.ts";
import type { Console } from "../console.ts";
import { keepMeasured, knownMeasured } from "./machine-cache.ts";

const block = z.int().min(1);

/** As much of a table as reading it relies on. */
const schema = z.looseObject({
  ep: z.string(),
  threads: z.number(),
  blocks: z.strictObject({ convolution: block, product: block }),
});

/** Those of the provider on this machine: measured when they are asked for the first time. */
export async function kernelBlocksOf(
  ep: ExecutionProvider,
  threads: number,
  { signal, progress, say }: Pick<Console, "signal" | "progress" | "say">,
): Promise<KernelBlocks> {
  const known = await knownKernelBlocks(ep, threads);
  if (known) return known;
  const onKind = (kind: string, done: number, total: number) =>
    progress({ stage: "blocks", done, total, detail: kind });
  const table = await measureKernelBlocks(openSession, { ep, threads, signal, onKind });
  const { convolution, product } = table.blocks;
  say(
    `kernels of ${ep} like multiples of ${convolution} channels and ${product} columns; kept in ${await keep(table)}`,
  );
  return table.blocks;
}

/** `undefined` where none were measured, or they cannot be read. */
export async function knownKernelBlocks(ep: ExecutionProvider, threads: number): Promise<KernelBlocks | undefined> {
  return (await knownMeasured("blocks", ep, threads, schema))?.blocks;
}

export function keep(table: KernelBlockTable): Promise<string> {
  return keepMeasured("blocks", table);
}
