/** @file Carries out the cases, and holds what they make against the digests that were accepted. */
import { readFileSync, writeFileSync } from "node:fs";
import type { Cases } from "./case.ts";
import { families } from "./families/index.ts";
import { digestOf, structureOf } from "./telling.ts";

/** Digests of structures by the full name of the case. */
export type Structures = Readonly<Record<string, string>>;

const file = new URL("structures.json", import.meta.url);

/** The full names of a family's cases, and what they make. */
export function casesOf(family: string, cases: Cases): (readonly [name: string, make: Cases[string]])[] {
  return Object.entries(cases).map(([name, make]) => [`${family}: ${name}`, make]);
}

export async function structuresOf(family: string): Promise<Structures> {
  const found: Record<string, string> = {};
  for (const [name, make] of casesOf(family, families[family]!)) found[name] = digestOf(structureOf(await make()));
  return found;
}

export function acceptedStructures(): Structures {
  return JSON.parse(readFileSync(file, "utf8"));
}

export function accept(structures: Structures): void {
  const sorted = Object.entries(structures).sort(([a], [b]) => (a < b ? -1 : 1));
  writeFileSync(file, `${JSON.stringify(Object.fromEntries(sorted), undefined, 2)}\n`);
}

/** Which cases differ from what was accepted, and what to do about it; empty where none does. */
export function complaint(accepted: Structures, found: Structures): string {
  const names = Object.keys(found);
  const changed = names.filter((name) => name in accepted && accepted[name] !== found[name]);
  const added = names.filter((name) => !(name in accepted));
  const missing = Object.keys(accepted).filter((name) => !(name in found));
  const lists = { "Cases that make something else": changed, "New cases": added, "Cases that are gone": missing };
  const lines = Object.entries(lists).flatMap(([what, list]) =>
    list.length > 0 ? [`${what} (${list.length}):`, ...list.map((name) => `  ${name}`)] : [],
  );
  if (lines.length === 0) return "";
  return [
    ...lines,
    "See how with: npm run replay -- --against HEAD",
    "Where this is wanted: npm run replay -- --accept, and say in the commit what is made differently.",
  ].join("\n");
}
