/// <reference lib="esnext.disposable" preserve="true" />
/** @file Batches on request, in order: made when they are asked for, or ahead of it. */
import type { Batch } from "../batches.ts";
import type { Dataset } from "../dataset.ts";
import { type BatchForm, type BatchRequest, loadBatch } from "./load-batch.ts";

/** Something that makes batches; it may hold threads until it is closed. */
export interface BatchLoader extends AsyncDisposable {
  /** Batches that were not ready when they were asked for. */
  readonly waits: number;
  /** The batches of `requests` in their order. Ending the iteration early abandons the rest. */
  load(requests: Iterable<BatchRequest>): AsyncGenerator<Batch>;
}

/** Makes each batch in this thread when it is asked for. */
export function inlineLoader(dataset: Dataset, form: BatchForm = {}): BatchLoader {
  let waits = 0;
  return {
    get waits() {
      return waits;
    },
    async *load(requests) {
      for (const request of requests) {
        waits++;
        yield await loadBatch(dataset, request, form);
      }
    },
    async [Symbol.asyncDispose]() {},
  };
}
