/** @file Settings of a member of a family, stated beside what makes it: what a configuration may say of it follows. */
import * as z from "zod";

/** What a configuration may say of a member, and what its reader adds. */
export interface MemberFacts {
  readonly settings: z.ZodObject;
  readonly given: readonly string[];
}

type Maker = (options: never) => unknown;
type OptionsOf<M extends Maker> = Parameters<M> extends [] ? object : NonNullable<Parameters<M>[0]>;

/** What an option is to a configuration: a value of a schema, something that only code can say, or given by who reads it. */
type Stated<T> = z.ZodType<Exclude<T, undefined>> | "code" | "given";

const known = new WeakMap<Maker, MemberFacts>();

/** A maker, with a statement about each of its options; all may be left out. */
export function member<M extends Maker>(
  make: M,
  options: { readonly [K in keyof Required<OptionsOf<M>>]: Stated<OptionsOf<M>[K]> },
): M {
  const entries = Object.entries<Stated<unknown>>(options);
  const schemas = entries.flatMap(([name, stated]) =>
    typeof stated === "string" ? [] : [[name, stated.exactOptional()] as const],
  );
  const given = entries.flatMap(([name, stated]) => (stated === "given" ? [name] : []));
  known.set(make, { settings: z.strictObject(Object.fromEntries(schemas)), given });
  return make;
}

/** @throws RangeError for a maker without stated options */
export function memberFacts(make: Maker): MemberFacts {
  const facts = known.get(make);
  if (!facts) throw new RangeError(`a member states its options: ${make.name}`);
  return facts;
}
