/** @file Members of a family chosen in a configuration: by name, or by name with settings. */
import { basename } from "node:path";
import * as z from "zod";
import { UsageError } from "../../errors.ts";
import { memberFacts } from "../../settings/index.ts";

/** `"adamw"` or `{ "name": "adamw", "weightDecay": 0.05 }`. */
export const namedChoice = z.union([z.string(), z.looseObject({ name: z.string() })]);

export type NamedChoice = z.infer<typeof namedChoice>;

/** Without keys whose value is undefined, which TypeScript tells from absent ones. */
export function present<T extends object>(settings: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  const given = Object.entries(settings).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given) as { [K in keyof T]: Exclude<T[K], undefined> };
}

/** The name of a choice. */
export function nameOf(choice: NamedChoice): string {
  return typeof choice === "string" ? choice : choice.name;
}

/** The name of a network or a file, as part of other names. */
export function stemOf(name: string): string {
  return basename(name).replace(/\.onnx$/, "");
}

/** The members of a family by name: what each is made by. */
export type Family<T> = Readonly<Record<string, (options: never) => T>>;

/** The member, made with the settings of the choice and what it is given beside them. @throws UsageError that lists the names, or the settings of the member. */
export function made<T>(
  family: string,
  members: Family<T>,
  choice: NamedChoice,
  given: Readonly<Record<string, unknown>> = {},
): T {
  const { make, settings } = chosen(family, members, choice);
  return make({ ...settings, ...given } as never);
}

/** The maker of a choice and its settings. @throws as `made` */
export function chosen<T>(family: string, members: Family<T>, choice: NamedChoice) {
  const name = nameOf(choice);
  const make = Object.hasOwn(members, name) ? members[name] : undefined;
  if (!make) {
    throw new UsageError(`there is no such ${family}`, {
      expected: `one of ${Object.keys(members).join(", ")}`,
      got: JSON.stringify(name),
    });
  }
  const { name: _, ...stated } = typeof choice === "string" ? { name } : choice;
  const facts = memberFacts(make);
  return { make, given: facts.given, settings: checked(facts.settings, stated, `${family} ${name}`) };
}

/** A value that fits a strict schema. @throws UsageError that names the key, and lists the valid ones where it is unknown */
export function checked<S extends z.ZodObject>(schema: S, value: unknown, where: string): z.infer<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const path = [where, ...(issue?.path.map(String) ?? [])].join(".");
  if (issue?.code !== "unrecognized_keys") {
    throw new UsageError(`a setting is wrong: ${issue?.message ?? "not what it should be"}`, { where: path });
  }
  const isTop = issue.path.length === 0;
  throw new UsageError("there is no such setting", {
    expected: isTop ? Object.keys(schema.shape).join(", ") || "no settings" : "a key that it has",
    got: issue.keys.map((key) => JSON.stringify(key)).join(", "),
    where: path,
  });
}
