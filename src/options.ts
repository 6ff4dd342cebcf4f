/** @file Options of public functions: a name that nobody reads is an error, never ignored. */
import { UsageError } from "./errors.ts";

/** Every name of a type of options, which the compiler keeps complete. */
export type OptionNames<T> = { readonly [K in keyof Required<T>]: true };

/**
 * The options as they are.
 *
 * @throws UsageError for what is no object, and for a name that is not among `names`.
 */
export function checkOptions<T extends object>(options: T, names: OptionNames<T>): T {
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    throw new UsageError("options have to be an object", { got: Array.isArray(options) ? "a list" : String(options) });
  }
  const unknown = Object.keys(options).find((name) => !Object.hasOwn(names, name));
  if (unknown === undefined) return options;
  const expected = Object.keys(names);
  const got = JSON.stringify(unknown);
  throw new UsageError(
    "unknown option",
    expected.length > 0 ? { expected: `one of ${expected.join(", ")}`, got } : { got },
  );
}

/** Those of the options that `names` has: what one function hands on to another. */
export function pickOptions<T extends object>(options: T, names: OptionNames<T>): T {
  return Object.fromEntries(Object.entries(options).filter(([name]) => Object.hasOwn(names, name))) as T;
}

/** @throws UsageError for a number that is not whole, or outside what is allowed: from 1 up, where nothing else is said. */
export function checkCount(
  name: string,
  value: number,
  { least = 1, most = Number.POSITIVE_INFINITY }: { readonly least?: number; readonly most?: number } = {},
): void {
  if (Number.isSafeInteger(value) && value >= least && value <= most) return;
  const range = most === Number.POSITIVE_INFINITY ? `of at least ${least}` : `from ${least} to ${most}`;
  throw new UsageError(`${name} must be a whole number ${range}`, { got: String(value) });
}
