/** @file Every error that lithe throws on purpose. Each carries the fields that a user can act on. */

/** Where something was found, in the words of the model: `graph "main", node "conv1" (Conv), input 1`. */
export type Where = string;

export interface ErrorFields {
  /** What was expected. */
  readonly expected?: string;
  /** What was found. */
  readonly got?: string;
  readonly where?: Where;
  /** What the user can do about it. */
  readonly hint?: string;
  readonly cause?: unknown;
}

/** What kind of error it is, in a word that neither minifiers nor versions change. */
export type ErrorCode =
  | "LITHE_ERROR"
  | "LITHE_FORMAT"
  | "LITHE_LIMIT"
  | "LITHE_PATH"
  | "LITHE_INVALID_MODEL"
  | "LITHE_SHAPE"
  | "LITHE_UNSUPPORTED"
  | "LITHE_USAGE"
  | "LITHE_DATA"
  | "LITHE_RUNTIME"
  | "LITHE_MISSING_PACKAGE"
  | "LITHE_CANCELLED"
  | "LITHE_BOUND"
  | "LITHE_RANK_LOST";

/** The root of lithe's errors. `message` is one sentence made of the fields; `name` and `code` are the same in minified programs. */
export class LitheError extends Error {
  override readonly name: string = "LitheError";
  readonly code: ErrorCode = "LITHE_ERROR";
  readonly expected: string | undefined;
  readonly got: string | undefined;
  readonly where: Where | undefined;
  readonly hint: string | undefined;

  constructor(summary: string, fields: ErrorFields = {}) {
    super(sentence(summary, fields), fields.cause === undefined ? {} : { cause: fields.cause });
    this.expected = fields.expected;
    this.got = fields.got;
    this.where = fields.where;
    this.hint = fields.hint;
  }

  /** The error as data, for `--json` and for reports. */
  toJSON(): Record<string, string> {
    const { name, code, message, expected, got, where, hint } = this;
    const fields = { name, code, message, expected, got, where, hint };
    return Object.fromEntries(
      Object.entries(fields).filter((entry): entry is [string, string] => entry[1] !== undefined),
    );
  }
}

/** The bytes are not a well-formed model, tensor or data file. */
export class FormatError extends LitheError {
  override readonly name = "FormatError";
  override readonly code = "LITHE_FORMAT";
}
/** A size, count, depth or time limit was exceeded; raised before the memory is taken. */
export class LimitError extends LitheError {
  override readonly name = "LimitError";
  override readonly code = "LITHE_LIMIT";
}
/** A path leaves the folder that it must stay in, or is a link. */
export class PathError extends LitheError {
  override readonly name = "PathError";
  override readonly code = "LITHE_PATH";
}
/** A model breaks an invariant of the IR. */
export class InvalidModelError extends LitheError {
  override readonly name = "InvalidModelError";
  override readonly code = "LITHE_INVALID_MODEL";
}
/** Dims or dtypes do not fit together. */
export class ShapeError extends LitheError {
  override readonly name = "ShapeError";
  override readonly code = "LITHE_SHAPE";
}
/** An operator, dtype or construct that the requested work does not support. */
export class UnsupportedError extends LitheError {
  override readonly name = "UnsupportedError";
  override readonly code = "LITHE_UNSUPPORTED";
}
/** An option, argument or configuration value is wrong. */
export class UsageError extends LitheError {
  override readonly name = "UsageError";
  override readonly code = "LITHE_USAGE";
}
/** Data does not fit the model, or is missing. */
export class DataError extends LitheError {
  override readonly name = "DataError";
  override readonly code = "LITHE_DATA";
}
/** The runtime refused a model or a run. */
export class RuntimeError extends LitheError {
  override readonly name = "RuntimeError";
  override readonly code = "LITHE_RUNTIME";
}
/** An optional package is missing; `hint` is the command that installs it. */
export class MissingPackageError extends LitheError {
  override readonly name = "MissingPackageError";
  override readonly code = "LITHE_MISSING_PACKAGE";
}
/** The work was cancelled through an `AbortSignal`. */
export class CancelledError extends LitheError {
  override readonly name = "CancelledError";
  override readonly code = "LITHE_CANCELLED";
}
/** A stated bound (accuracy, agreement, size, latency) was broken. */
export class BoundError extends LitheError {
  override readonly name = "BoundError";
  override readonly code = "LITHE_BOUND";
}

function sentence(summary: string, { expected, got, where, hint }: ErrorFields): string {
  const parts = [summary];
  if (expected !== undefined) parts.push(`expected ${expected}`);
  if (got !== undefined) parts.push(`got ${got}`);
  if (where !== undefined) parts.push(`at ${where}`);
  const body = parts.join("; ");
  return hint === undefined ? body : `${body}. ${hint}`;
}

/** Fails with `error` when `condition` does not hold. */
export function ensure(condition: unknown, error: () => LitheError): asserts condition {
  if (!condition) throw error();
}
