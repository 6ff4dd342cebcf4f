/** @file Node only: entry of a thread that makes batches. */
import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { bytesOfTensor } from "../../ir/index.ts";
import type { Augmentation } from "../augment/index.ts";
import type { Batch } from "../batches.ts";
import type { Dataset } from "../dataset.ts";
import { loadBatch } from "../load/load-batch.ts";
import { fromRecipe } from "../recipe.ts";
import { type LoadJob, type LoadReply, type LoadRequest, packError } from "./load-protocol.ts";

if (parentPort) serve(parentPort, workerData as LoadJob);

/** Opens the data once; requests are answered one after the other. */
function serve(port: MessagePort, { data, augment, port: inputs }: LoadJob): void {
  const opened = Promise.all([
    fromRecipe<Dataset>(data),
    Promise.all(augment.map((recipe) => fromRecipe<Augmentation>(recipe))),
  ]);
  opened.catch(() => undefined);
  let last: Promise<void> = Promise.resolve();
  port.on("message", ({ id, request }: LoadRequest) => {
    last = last.then(async () => {
      try {
        const [dataset, augmentations] = await opened;
        const batch = await loadBatch(dataset, request, { augment: augmentations, ...(inputs && { port: inputs }) });
        port.postMessage({ id, batch } satisfies LoadReply, buffersOf(batch));
      } catch (error) {
        port.postMessage({ id, error: packError(error) } satisfies LoadReply);
      }
    });
  });
}

/** The memory that moves to the other side: feeds that fill their buffer. Those that do not are copied. */
function buffersOf({ feeds, targets }: Batch): ArrayBuffer[] {
  const buffers = new Set<ArrayBuffer>();
  for (const value of [...feeds.values(), ...(targets ? [targets] : [])]) {
    if (value.dtype === "string") continue;
    const { buffer, byteLength } = bytesOfTensor(value);
    if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffers.add(buffer);
  }
  return [...buffers];
}
