/** @file Node only: the messages between a loader and its threads. */
import * as errors from "../../errors.ts";
import type { Batch } from "../batches.ts";
import type { InputPort } from "../dataset.ts";
import type { BatchRequest } from "../load/load-batch.ts";
import type { Recipe } from "../recipe.ts";

/** What a thread makes batches of. */
export interface LoadJob {
  readonly data: Recipe;
  readonly augment: readonly Recipe[];
  readonly port?: InputPort | readonly InputPort[];
}

export interface LoadRequest {
  readonly id: number;
  readonly request: BatchRequest;
}

export type LoadReply = { readonly id: number } & (
  | { readonly batch: Batch }
  | { readonly error: Readonly<Record<string, string>> }
);

/** An error as data; what is none of the package's own becomes a `DataError`. */
export function packError(error: unknown): Readonly<Record<string, string>> {
  if (error instanceof errors.LitheError) return error.toJSON();
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  return new errors.DataError("a batch could not be made", { got: message, where: placeOf(stack) }).toJSON();
}

/** The first place in a stack, without the frames of the runtime. */
function placeOf(stack = ""): string {
  const [, frame = "a loading thread"] = /^\s+at (.*)$/m.exec(stack) ?? [];
  return frame;
}

/** The error of the class that it had. */
export function unpackError({ name = "", message = "", ...fields }: Readonly<Record<string, string>>): Error {
  const known = new Map<string, typeof errors.LitheError>(
    Object.entries(errors).filter((entry): entry is [string, typeof errors.LitheError] => entry[0].endsWith("Error")),
  );
  const ErrorClass = known.get(name) ?? errors.DataError;
  return Object.assign(new ErrorClass(message), fields);
}
