/** @file The error for an optional package that is not installed. */
import { MissingPackageError } from "../errors.ts";

export function missingPackage(name: string, cause?: unknown): MissingPackageError {
  return new MissingPackageError("an optional package is missing", {
    got: name,
    hint: `Install it with: npm i ${name}`,
    cause,
  });
}
