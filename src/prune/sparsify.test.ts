import { describe, expect, it } from "vitest";
import { sparseNetwork } from "../../test/sparse-network.ts";
import { floatsOf, isSparse, type Model, type Tensor, tensor, typedArray, verify } from "../ir/index.ts";
import { criteria } from "./criteria/index.ts";
import { type GranularityName, granularities } from "./granularities/index.ts";
import type { SparseRanking } from "./least-rows.ts";
import { withMasks } from "./masks.ts";
import { masksOf } from "./masks-of.ts";
import { sparseLayers } from "./sparse-layers.ts";
import { type SparsifyOptions, sparsifyModel } from "./sparsify.ts";

const model = sparseNetwork();
const { layers } = sparseLayers(model);

function tensors({ graph }: Model): Map<string, Tensor> {
  return new Map([...graph.initializers].flatMap(([{ name }, data]) => (isSparse(data) ? [] : [[name, data]])));
}

const bytes = ({ data }: Tensor) => [...(data as Uint8Array)];
const zeros = (of: Tensor) => floatsOf(of).reduce((count, value) => count + (value === 0 ? 1 : 0), 0);
const names = (masks: ReadonlyMap<string, Tensor>) => [...masks.keys()];

const shared = Object.keys(granularities).filter((name) => name !== "neighbours") as GranularityName[];
const rankings: readonly SparseRanking[] = ["local", "global"];
/** Those that speak of rows of any width from the weights alone. */
const plain = ["l1", "l2", "lamp", "random"] as const;

describe.each(shared)("sparsity of rows of %s", (granularity) => {
  it.each(rankings.flatMap((ranking) => plain.map((criterion) => [ranking, criterion] as const)))(
    "ranked %s by %s",
    (ranking, criterion) => {
      for (const sparsity of [0.1, 0.5, 0.925]) {
        const options: SparsifyOptions = { sparsity, granularity, ranking, criterion, seed: 3 };
        const { model: sparse, masks, report } = sparsifyModel(model, options);
        expect(verify(sparse)).toEqual([]);
        expect(names(masks)).toEqual(layers.map(({ weight }) => weight.name));
        let [gone, all] = [0, 0];
        for (const [i, layer] of layers.entries()) {
          const cut = granularities[granularity]().cut(layer);
          const kept = typedArray(masks.get(layer.weight.name)!);
          const rows = Array.from({ length: cut.count }, (_, row) => {
            const own = [...cut.positions.subarray(row * cut.width, (row + 1) * cut.width)].filter((at) => at >= 0);
            const states = new Set(own.map((at) => kept[at]));
            expect(states.size).toBe(1);
            return { isGone: states.has(0), own };
          });
          const count = rows.filter(({ isGone }) => isGone).length;
          if (ranking === "local") expect(count).toBe(Math.floor(sparsity * cut.count + 1e-9));
          [gone, all] = [gone + count, all + cut.count];
          const source = floatsOf(layer.weightTensor);
          const scored = criteria[criterion].scores(
            {
              axis: { node: layer.node, value: layer.weight, axis: layer.channelAxis, role: "out" },
              rows: new Float32Array(cut.positions.length).map((_, at) =>
                cut.positions[at]! < 0 ? 0 : source[cut.positions[at]!]!,
              ),
              count: cut.count,
              width: cut.width,
              index: i,
            },
            3,
          )!;
          const [lost, left] = [true, false].map((isGone) =>
            [...scored].filter((_, row) => rows[row]!.isGone === isGone),
          );
          if (lost!.length > 0) expect(Math.max(...lost!)).toBeLessThanOrEqual(Math.min(...left!));
        }
        if (ranking === "global") expect(gone).toBe(Math.floor(sparsity * all + 1e-9));
        const [before, after] = [tensors(model), tensors(sparse)];
        for (const [name, tensor] of after) {
          const mask = masks.get(name);
          if (!mask) expect(bytes(tensor)).toEqual(bytes(before.get(name)!));
          else
            for (const [i, value] of floatsOf(tensor).entries())
              expect(Object.is(value, typedArray(mask)[i] === 0 ? 0 : floatsOf(before.get(name)!)[i])).toBe(true);
        }
        expect(report.zeros.after).toBe(layers.reduce((sum, { weight }) => sum + zeros(after.get(weight.name)!), 0));
        expect(report.zeros.before).toBe(0);
        const again = sparsifyModel(sparse, options);
        expect([...tensors(again.model)].map(([, each]) => bytes(each))).toEqual(
          [...after].map(([, each]) => bytes(each)),
        );
        expect(again.report.zeros).toEqual({ before: report.zeros.after, after: report.zeros.after });
      }
    },
  );
});

describe("sparsifyModel", () => {
  it("leaves N of M neighbours everywhere, the largest", () => {
    for (const pattern of ["2:4", "1:3"]) {
      const [keep, of] = pattern.split(":").map(Number) as [number, number];
      const { model: sparse } = sparsifyModel(model, { pattern });
      for (const layer of layers) {
        const after = floatsOf(tensors(sparse).get(layer.weight.name)!);
        const before = floatsOf(layer.weightTensor);
        const area = layer.node.opType === "Conv" ? 9 : 1;
        for (let row = 0; row < layer.rows; row++) {
          for (let place = 0; place < area; place++) {
            for (let input = 0; input < layer.columns / area; input += of) {
              const group = Array.from({ length: Math.min(of, layer.columns / area - input) }, (_, i) =>
                layer.position(row, (input + i) * area + place),
              );
              const left = group.filter((at) => after[at] !== 0);
              expect(left).toHaveLength(Math.min(keep, group.length));
              const lost = group.filter((at) => after[at] === 0).map((at) => Math.abs(before[at]!));
              expect(Math.max(0, ...lost)).toBeLessThan(Math.min(...left.map((at) => Math.abs(before[at]!))));
            }
          }
        }
      }
    }
  });

  it("compares all layers where the ranking is global, and empties none", () => {
    const large = withMasks(model, new Map());
    const last = tensors(large).get("last")!;
    const tiny = tensor(
      "float32",
      last.dims,
      floatsOf(last).map((value) => value / 1e6),
    );
    const scaled = {
      ...model,
      graph: {
        ...model.graph,
        initializers: new Map(
          [...model.graph.initializers].map(([value, data]) => [value, value.name === "last" ? tiny : data]),
        ),
      },
    };
    const { report } = sparsifyModel(scaled, { sparsity: 0.5, ranking: "global" });
    const own = report.layers.find(({ weight }) => weight === "last")!;
    expect(own.zeros.after).toBe(own.elements - 1);
    expect(report.zeros.after).toBe(Math.floor(report.elements / 2));
  });

  it("keeps what was zero for good, whatever the scores say", () => {
    const first = sparsifyModel(model, { sparsity: 0.3, criterion: "random", seed: 1 });
    const second = sparsifyModel(model, { sparsity: 0.6, criterion: "random", seed: 2, masks: first.masks });
    for (const [name, mask] of first.masks) {
      const later = typedArray(second.masks.get(name)!);
      for (const [i, kept] of typedArray(mask).entries()) if (kept === 0) expect(later[i]).toBe(0);
    }
    const wide = sparsifyModel(model, { sparsity: 0.6, criterion: "random", seed: 2 });
    expect(second.report.zeros.after).toBe(wide.report.zeros.after);
  });

  it("leaves out what is excluded, and says why layers stay", () => {
    const { masks, report } = sparsifyModel(model, { sparsity: 0.5, exclude: ["conv layer", "la*"] });
    expect(names(masks)).toEqual(["grouped", "gemm", "stacked"]);
    expect(report.untouched).toEqual([
      { layer: "conv layer", reason: "excluded by name" },
      { layer: "last layer", reason: "excluded by name" },
    ]);
    expect(() => sparsifyModel(model, { sparsity: 0.5, exclude: ["lost layer"] })).toThrow(
      /matches no node.*"last layer"/,
    );
    expect(() => sparsifyModel(model, { sparsity: 0.5, exclude: ["*"] })).toThrow(/no weights that could be zeros/);
  });

  it("finds the masks of zeros that are there", () => {
    const { model: sparse, masks } = sparsifyModel(model, { sparsity: 0.5, exclude: ["gemm layer"] });
    const found = masksOf(sparse);
    expect(names(found)).toEqual(names(masks));
    for (const [name, mask] of found) expect(bytes(mask)).toEqual(bytes(masks.get(name)!));
  });

  it("says what is possible", () => {
    const run = (options: object) => () => sparsifyModel(model, options as SparsifyOptions);
    expect(run({})).toThrow(/one of sparsity and pattern.*got none/);
    expect(run({ sparsity: 0.5, pattern: "2:4" })).toThrow(/got both/);
    expect(run({ sparsity: 1 })).toThrow(/sparsity is out of range.*got 1/);
    expect(run({ pattern: "2:4", granularity: "block" })).toThrow(/a pattern says itself what goes/);
    expect(run({ sparsity: 0.5, granularity: "neighbours" })).toThrow(/expected pattern: "2:4"/);
    expect(run({ sparsity: 0.5, criterion: "geometric-median" })).toThrow(
      /geometric-median says nothing about rows of 1 weights.*got granularity element/,
    );
    expect(run({ sparsity: 0.5, criterion: "norm-scale" })).toThrow(/says nothing/);
    expect(run({ sparsity: 0.5, criterion: "wanda" })).toThrow(/wanda needs data.*evidence of inputs.*gatherEvidence/);
    expect(() => withMasks(model, new Map([["lost", tensor("bool", [1], Uint8Array.of(1))]]))).toThrow(
      /fits no weight.*no initializer of this name/,
    );
  });
});
