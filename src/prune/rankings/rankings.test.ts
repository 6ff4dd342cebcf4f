import { describe, expect, it } from "vitest";
import type { RankedWidth } from "../ranking.ts";
import { rankings } from "./index.ts";

/** Widths with these importances, ascending, made by weights of these operators. */
function ranked(
  ...parts: readonly { readonly of: string; readonly importance: readonly number[]; readonly most?: number }[]
) {
  return parts.map(({ of, importance, most = importance.length - 1 }): RankedWidth => {
    const node = { opType: of, domain: "", name: "", inputs: [], outputs: [], attributes: new Map() };
    const axis = { node, value: { name: "" }, axis: 0, role: "out" as const, classes: new Int32Array() };
    const ascending = importance.map((each, i) => ({ of: i, importance: each }));
    return { width: { classes: [], axes: [axis], positions: importance.length, held: [] }, ascending, most };
  });
}

const widths = ranked(
  { of: "Conv", importance: [1, 2, 9, 10] },
  { of: "Conv", importance: [3, 4, 5, 6] },
  { of: "Gemm", importance: [0.1, 0.2, 0.3, 0.4] },
);

describe("rankings", () => {
  it("are what their names say", () => {
    for (const [name, ranking] of Object.entries(rankings)) expect(ranking.name).toBe(name);
  });

  it("take the same share of each width", () => {
    expect(rankings.local.counts(widths, 0.5)).toEqual([2, 2, 2]);
    expect(rankings.local.counts(widths, 0.49)).toEqual([1, 1, 1]);
  });

  it("take the least important of all", () => {
    expect(rankings.global.counts(widths, 0.5)).toEqual([2, 1, 3]);
  });

  it("compare widths of one kind alone", () => {
    expect(rankings.isomorphic.counts(widths, 0.5)).toEqual([2, 2, 2]);
    expect(
      rankings.isomorphic.counts(
        ranked({ of: "Conv", importance: [1, 2, 3] }, { of: "Conv", importance: [4, 5, 6] }),
        0.5,
      ),
    ).toEqual([2, 1]);
  });

  it("never take more than a width may lose", () => {
    const narrow = ranked(
      { of: "Conv", importance: [1, 2, 3, 4], most: 1 },
      { of: "Conv", importance: [5, 6, 7, 8], most: 3 },
    );
    for (const ranking of Object.values(rankings)) {
      const [first, second] = ranking.counts(narrow, 0.75);
      expect(first).toBe(1);
      expect(second).toBe(3);
    }
  });
});
