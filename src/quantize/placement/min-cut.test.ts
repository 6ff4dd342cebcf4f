import fc from "fast-check";
import { expect, it } from "vitest";
import { flowNetwork } from "./min-cut.ts";

it("finds a cut as cheap as the best of all assignments", () => {
  const edges = fc.array(
    fc.record({
      a: fc.integer({ min: 0, max: 6 }),
      b: fc.integer({ min: 0, max: 6 }),
      c: fc.integer({ min: 0, max: 9 }),
    }),
    { maxLength: 20 },
  );
  fc.assert(
    fc.property(edges, (list) => {
      const network = flowNetwork();
      for (let i = 0; i < 5; i++) network.vertex();
      for (const { a, b, c } of list) network.connect(a, b, c);
      const costOf = (side: (vertex: number) => boolean): number =>
        list.reduce((sum, { a, b, c }) => sum + (side(a) && !side(b) ? c : 0), 0);
      let least = Infinity;
      for (let mask = 0; mask < 32; mask++) {
        least = Math.min(
          least,
          costOf((vertex) => vertex === 0 || (vertex > 1 && ((mask >> (vertex - 2)) & 1) === 1)),
        );
      }
      const found = network.sourceSide();
      expect(found.has(0) && !found.has(1)).toBe(true);
      expect(costOf((vertex) => found.has(vertex))).toBe(least);
    }),
    { seed: 3 },
  );
});
