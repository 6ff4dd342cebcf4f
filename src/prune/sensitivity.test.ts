import { describe, expect, it } from "vitest";
import { random } from "../data/index.ts";
import { type Model, tensorFromNumbers, withGraph } from "../ir/index.ts";
import { mlp } from "../models/index.ts";
import { openReference } from "../runtime/reference.ts";
import { gatherEvidence } from "./gather-evidence.ts";
import { pruneModel } from "./prune.ts";
import { bySensitivity, measurePruneSensitivity, type WidthCurve } from "./sensitivity.ts";

const network = mlp(random(1), { input: [4], hidden: [8, 8], classes: 3 });

/** With a layer of which all units but one give zeros for all inputs. */
function withIdle(layer: string): Model {
  const initializers = new Map(
    [...network.graph.initializers].map(([value, data]) => {
      if (!value.name.startsWith(`${layer}/`) || !("dims" in data)) return [value, data] as const;
      const columns = data.dims.at(-1)!;
      const values = Array.from({ length: data.dims.reduce((a, b) => a * b, 1) }, (_, i) =>
        i % columns === 3 ? 1 : 0,
      );
      return [value, tensorFromNumbers("float32", data.dims, values)] as const;
    }),
  );
  return withGraph(network, { ...network.graph, initializers });
}

const batches = () => [new Map([["input", tensorFromNumbers("float32", [2, 4], [1, 2, 3, 4, 1, 0, 2, 1])]])];
const options = { open: openReference, batches };
const after = (model: Model, curves: readonly WidthCurve[], ratio: number) =>
  pruneModel(model, { ratio, ranking: bySensitivity(curves) }).report.widths.map((width) => width.after);

describe("sensitivity", () => {
  it("is 0 where what goes counts for nothing, and narrows there first", async () => {
    for (const [layer, expected] of [
      ["hidden0", [1, 8, 3]],
      ["hidden1", [8, 1, 3]],
    ] as const) {
      const model = withIdle(layer);
      const seen: number[] = [];
      const curves = await measurePruneSensitivity(model, {
        ...options,
        onCurve: (_, done, total) => void seen.push(done, total),
      });
      const [idle, other] = layer === "hidden0" ? [curves[0]!, curves[1]!] : [curves[1]!, curves[0]!];
      expect(idle.points.map(({ error }) => error)).toEqual([0, 0, 0]);
      expect(idle.points.map(({ share }) => share)).toEqual([0.25, 0.5, 0.625]);
      expect(other.points.at(-1)!.error).toBeGreaterThan(0);
      expect(after(model, curves, 7 / 16)).toEqual(expected);
      expect(seen).toEqual([1, 2, 2, 2]);
    }
  });

  it("takes what brings all to one error", () => {
    const curve = (...errors: readonly number[]): WidthCurve => ({
      layers: [],
      points: errors.map((error, i) => ({ share: 0.25 * (i + 1), error })),
    });
    expect(after(network, [curve(1, 2, 3), curve(3, 6, 9)], 0.5)).toEqual([2, 6, 3]);
    // What falls counts as what it fell from, and what is behind the last point goes on as before it.
    expect(after(network, [curve(1, 0.1, 0.2), curve(0.9, 1.8)], 0.375)).toEqual([4, 6, 3]);
    expect(() => after(network, [curve(1)], 0.5)).toThrow(/2 curves.*1/);
  });

  it("takes no more of a width than what alone brings the answers to a bound", () => {
    const curve = (...errors: readonly number[]): WidthCurve => ({
      layers: [],
      points: errors.map((error, i) => ({ share: 0.25 * (i + 1), error })),
    });
    const bounded = (mostError: number) => {
      const ranking = bySensitivity([curve(1, 2, 3), curve(4, 5, 6)], { mostError });
      return pruneModel(network, { ratio: 0.7, ranking }).report.widths.map((width) => width.after);
    };
    expect(bounded(2)).toEqual([4, 7, 3]);
    expect(bounded(4)).toEqual([1, 6, 3]);
    expect(() => bounded(0.1)).toThrow(/takes nothing away/);
  });

  it("is measured by criteria that look at samples, too", async () => {
    const evidence = await gatherEvidence(network, {
      ...{ kinds: ["inputs"], open: openReference },
      async *batches() {
        yield* batches();
      },
    });
    const curves = await measurePruneSensitivity(network, { ...options, criterion: "wanda", evidence });
    expect(curves).toHaveLength(2);
  });

  it("refuses shares that make no curve", async () => {
    for (const shares of [[], [0.5, 0.5], [0.5, 0.2], [0, 0.5], [1]]) {
      await expect(measurePruneSensitivity(network, { ...options, shares })).rejects.toThrow(/ascend between 0 and 1/);
    }
  });
});
