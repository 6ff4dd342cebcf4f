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

/** The root of lithe's errors. `message` is one sentence made of the fields. */
export class LitheError extends Error {
  readonly expected: string | undefined;
  readonly got: string | undefined;
  readonly where: Where | undefined;
  readonly hint: string | undefined;

  constructor(summary: string, fields: ErrorFields = {}) {
    super(sentence(summary, fields), fields.cause === undefined ? {} : { cause: fields.cause });
    this.name = new.target.name;
    this.expected = fields.expected;
    this.got = fields.got;
    this.where = fields.where;
    this.hint = fields.hint;
  }

  /** The error as data, for `--json` and for reports. */
  toJSON(): Record<string, string> {
    const { name, message, expected, got, where, hint } = this;
    const fields = { name, message, expected, got, where, hint };
    return Object.fromEntries(
      Object.entries(fields).filter((entry): entry is [string, string] => entry[1] !== undefined),
    );
  }
}

/** The bytes are not a well-formed model, tensor or data file. */
export class FormatError extends LitheError {}
/** A size, count, depth or time limit was exceeded; raised before the memory is taken. */
export class LimitError extends LitheError {}
/** A path leaves the folder that it must stay in, or is a link. */
export class PathError extends LitheError {}
/** A model breaks an invariant of the IR. */
export class InvalidModelError extends LitheError {}
/** Dims or dtypes do not fit together. */
export class ShapeError extends LitheError {}
/** An operator, dtype or construct that the requested work does not support. */
export class UnsupportedError extends LitheError {}
/** An option, argument or configuration value is wrong. */
export class UsageError extends LitheError {}
/** Data does not fit the model, or is missing. */
export class DataError extends LitheError {}
/** The runtime refused a model or a run. */
export class RuntimeError extends LitheError {}
/** An optional package is missing; `hint` is the command that installs it. */
export class MissingPackageError extends LitheError {}
/** The work was cancelled through an `AbortSignal`. */
export class CancelledError extends LitheError {}
/** A stated bound (accuracy, agreement, size, latency) was broken. */
export class BoundError extends LitheError {}

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
