import { describe, expect, it } from "vitest";
import { atLeast, certain, exactly, fromEnd, InternalError, lastOf, must, nth } from "./checked.ts";
import { LitheError } from "./errors.ts";

describe("checked reads", () => {
  it("give what is there, and count from the end", () => {
    expect([
      nth([3, 0], 1),
      lastOf(["a", "b"]),
      fromEnd(["a", "b"], 2),
      must(new Map([["k", false]]), "k"),
      certain(0),
      atLeast([1, undefined], 1),
      exactly([4, 5], 2),
    ]).toEqual([0, "b", "a", false, 0, [1, undefined], [4, 5]]);
  });

  it.each<[string, () => unknown, RegExp]>([
    ["an index beyond the end", () => nth([1, 2], 2), /a list of 2 has no item 2/],
    ["an index before the beginning", () => nth([1, 2], -1), /no item -1/],
    ["the end of nothing", () => lastOf([]), /a list of 0 has no item -1/],
    ["a hole", () => nth([undefined], 0), /no item 0/],
    ["a key that a map does not hold", () => must(new Map(), "x"), /nothing under "x"/],
    ["a value that a map does not hold", () => must(new Map(), { name: "v" }), /nothing under "v"/],
    ["too few items", () => atLeast([1], 2), /a list of 1 has no item 1/],
    ["an item that is left out", () => atLeast([undefined, 1], 2), /no item 0/],
    ["fewer items", () => exactly([1], 2), /a list of 2 has 1 items/],
    ["more items", () => exactly([1, 2, 3], 2), /a list of 2 has 3 items/],
    ["nothing", () => certain(null), /is not there/],
  ])("name %s as a mistake of lithe's own", (_, read, reason) => {
    expect(read).toThrow(InternalError);
    expect(read).toThrow(reason);
    expect(read).not.toThrow(LitheError);
  });
});
