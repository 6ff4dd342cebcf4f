/** @file What lithe makes stays what it was: the digests of `replay/structures.json`, case by case. */
import { describe, expect, it } from "vitest";
import { families } from "./replay/families/index.ts";
import { acceptedStructures, complaint, structuresOf } from "./replay/replay.ts";

const accepted = Object.entries(acceptedStructures());
const familyOf = (name: string): string => name.slice(0, name.indexOf(":"));

describe("replay", () => {
  it.each(Object.keys(families))("%s", async (family) => {
    const own = Object.fromEntries(accepted.filter(([name]) => familyOf(name) === family));
    expect(complaint(own, await structuresOf(family))).toBe("");
  });

  it("knows every family that was accepted", () => {
    expect([...new Set(accepted.map(([name]) => familyOf(name)))].filter((family) => !(family in families))).toEqual(
      [],
    );
  });

  it("names what is different", () => {
    const said = complaint({ "a: 1": "x", "a: 2": "y", "a: 3": "z" }, { "a: 1": "x", "a: 2": "other", "a: 4": "w" });
    expect(said.split("\n").slice(0, 6)).toEqual([
      "Cases that make something else (1):",
      "  a: 2",
      "New cases (1):",
      "  a: 4",
      "Cases that are gone (1):",
      "  a: 3",
    ]);
    expect(complaint({ "a: 1": "x" }, { "a: 1": "x" })).toBe("");
  });
});
