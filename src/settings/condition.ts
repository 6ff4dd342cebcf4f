/** @file Settings that have something to do only beside others: stated once, read by the help text and by the refusal. */

type Values = Readonly<Record<string, unknown>>;

/** When a setting has something to do. */
export interface Condition {
  /** What stands before its description. */
  readonly label: string;
  /** What has to be given beside it. */
  readonly expected: string;
  /** What is given in its place. */
  got(values: Values): string;
  holds(values: Values): boolean;
}

/** Another option has one of these values. */
export function among(flag: string, ...values: readonly string[]): Condition {
  const key = keyOf(flag);
  return {
    label: values.join(", "),
    expected: `${flag} ${values.join(" or ")}`,
    got: (given) => `${flag} ${given[key]}`,
    holds: (given) => values.includes(String(given[key])),
  };
}

/** Another option has any value but this one. */
export function unless(flag: string, value: string): Condition {
  const key = keyOf(flag);
  return {
    label: `unless ${flag} ${value}`,
    expected: `another ${flag}`,
    got: () => `${flag} ${value}`,
    holds: (given) => given[key] !== value,
  };
}

/** Another option is given. */
export function beside(flag: string): Condition {
  const key = keyOf(flag);
  return {
    label: `with ${flag}`,
    expected: `${flag} beside it`,
    got: () => `no ${flag}`,
    holds: (given) => given[key] !== undefined,
  };
}

/** The name under which the value of an option is found: `learningRate` of `--learning-rate`. */
export function keyOf(flag: string): string {
  return flag.replace(/^--/, "").replace(/-./g, ([, letter]) => letter!.toUpperCase());
}
