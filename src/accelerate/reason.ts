/** @file An error in the words of a row. */
import { LitheError } from "../errors.ts";

export function reasonOf(error: unknown): string {
  return error instanceof LitheError ? error.message : `a defect of lithe: ${String(error)}`;
}
