/** @file One batch: its samples read, augmented and stacked. */
import { type Augmentation, augmentBatch } from "../augment/index.ts";
import { type Batch, batchOf } from "../batches.ts";
import { collect } from "../collect.ts";
import type { Dataset, InputPort } from "../dataset.ts";

/** Which batch: plain data, the same in every thread. */
export interface BatchRequest {
  /** Of its samples in the dataset, in order. */
  readonly positions: readonly number[];
  /** Decides the augmentation, together with the epoch and each sample's position. */
  readonly seed: number;
  readonly epoch: number;
}

export interface BatchForm {
  /** The model's inputs; see `batches`. */
  readonly port?: InputPort | readonly InputPort[];
  /** In the order in which they apply; none by default. */
  readonly augment?: readonly Augmentation[];
}

/** The batch depends on dataset, form and request alone. */
export async function loadBatch(dataset: Dataset, request: BatchRequest, form: BatchForm): Promise<Batch> {
  const samples = await collect(dataset.pick(request.positions));
  const { augment = [], port } = form;
  const changed = augment.length === 0 ? samples : augmentBatch(samples, augment, request);
  return batchOf(changed, { batch: request.positions.length, ...(port && { port }) });
}
