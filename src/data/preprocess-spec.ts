/** @file The specification of how an image becomes a network's input, as data that can stand in a JSON file. */

import * as z from "zod";
import { nth } from "../checked.ts";
import { UsageError } from "../errors.ts";
import { resampleFilters } from "./resample.ts";

const side = z.int().min(1).max(16384);
const inputTypes = ["float32", "float16", "float64", "bfloat16", "uint8", "int8", "int32", "int64"] as const;

const preprocessSchema = z.strictObject({
  /** `{ shorter }` keeps the aspect ratio; `{ width, height }` does not. */
  resize: z.union([z.strictObject({ shorter: side }), z.strictObject({ width: side, height: side })]).optional(),
  /** The filter of the resize; default bilinear. All are antialiased. */
  filter: z.enum(resampleFilters).optional(),
  /** The middle, after the resize. */
  crop: z.strictObject({ width: side, height: side }).optional(),
  /** Absent: as the picture has them. */
  channels: z.enum(["rgb", "bgr", "gray"]).optional(),
  /** Multiplies the pixel values 0…255; default 1. */
  scale: z.number().positive().optional(),
  /** In units of the scaled pixel, in the order of `channels`; one number stands for all channels. Default 0. */
  mean: z.array(z.number()).min(1).max(3).optional(),
  /** Default 1. */
  std: z.array(z.number().positive()).min(1).max(3).optional(),
  /** Default nchw; a sample has no batch axis, so it is [C, H, W] or [H, W, C]. */
  layout: z.enum(["nchw", "nhwc"]).optional(),
  /** Default float32. */
  dtype: z.enum(inputTypes).optional(),
});

/** See `docs/data.md`; every field is optional and `{}` hands out the pixels 0…255 as float32 [C, H, W]. */
export type PreprocessSpec = z.infer<typeof preprocessSchema>;

/** Checks a specification that was read from a file or a flag. Unknown keys and bad values are a `UsageError`. */
export function parsePreprocessSpec(value: unknown, where = "preprocess"): PreprocessSpec {
  const result = preprocessSchema.safeParse(value);
  if (result.success) return result.data;
  const issue = nth(result.error.issues, 0);
  const path = [where, ...issue.path.map(String)].join(".");
  if (issue.code !== "unrecognized_keys") {
    throw new UsageError(`the preprocess specification is wrong: ${issue.message}`, { where: path });
  }
  throw new UsageError("the preprocess specification has an unknown key", {
    expected: issue.path.length === 0 ? `one of ${Object.keys(preprocessSchema.shape).join(", ")}` : "no such key",
    got: issue.keys.map((key) => JSON.stringify(key)).join(", "),
    where: path,
  });
}
