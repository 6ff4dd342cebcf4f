/** @file Batches on request, in order: made when they are asked for, or ahead of it. */
import type { Batch } from "../batches.ts";
import type { Dataset } from "../dataset.ts";
import { type BatchForm, type BatchRequest, loadBatch } from "./load-batch.ts";

/** Something that makes batches; it may hold threads until it is closed. */
export interface BatchLoader extends AsyncDisposable {
  /** The batches of `requests` in their order. Ending the iteration early abandons the rest. */
  load(requests: Iterable<BatchRequest>): AsyncGenerator<Batch>;
}

/** Makes each batch in this thread when it is asked for. */
export function inlineLoader(dataset: Dataset, form: BatchForm = {}): BatchLoader {
  return {
    async *load(requests) {
      for (const request of requests) yield await loadBatch(dataset, request, form);
    },
    async [Symbol.asyncDispose]() {},
  };
}
