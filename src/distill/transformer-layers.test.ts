import { describe, expect, it } from "vitest";
import { describeShared, sharedPath } from "../../test/shared.ts";
import { random } from "../data/index.ts";
import type { Model } from "../ir/index.ts";
import { mlp, vit } from "../models/index.ts";
import { attention, embedding, layerNorm, linear, mlpBlock, network } from "../nn/index.ts";
import { loadModel } from "../onnx/files.ts";
import { jointModel } from "./joint-model.ts";
import { transformerLayers } from "./transformer-layers.ts";
import { transformerTargets } from "./transformer-targets.ts";

/** Norms behind the sums, as BERT has them; values are named as they are made. */
function bert(depth: number, width: number, heads: number): Model {
  return network(random(1), (n) => {
    const ids = n.input("ids", "int64", ["batch", 6]);
    let x = layerNorm(n.scope("norm"), embedding(n.scope("words"), ids, { vocabulary: 20, width }).value);
    for (let i = 0; i < depth; i++) {
      const layer = n.scope(`layer${i}`);
      const mixed = layerNorm(layer.scope("norm1"), n.add(x, attention(layer.scope("attention"), x, { heads })));
      x = layerNorm(layer.scope("norm2"), n.add(mixed, mlpBlock(layer.scope("mlp"), mixed, { hidden: 2 * width })));
    }
    n.output(linear(n.scope("head"), n.mean(x, [1]), 2), "logits");
  });
}

/** The operator that makes a value, and those that read it. */
function around({ graph }: Model, name: string): readonly [string | undefined, readonly string[]] {
  const maker = graph.nodes.find(({ outputs }) => outputs.some((value) => value?.name === name));
  const readers = graph.nodes.filter(({ inputs }) => inputs.some((value) => value?.name === name));
  return [maker?.opType, readers.map(({ opType }) => opType)];
}

describe("the layers of a transformer", () => {
  it("hand on what is normed where norms follow the sums", () => {
    const model = bert(3, 8, 2);
    const { embedding: start, layers } = transformerLayers(model);
    expect(around(model, start)[0]).toBe("LayerNormalization");
    expect(layers).toHaveLength(3);
    for (const [i, { scores, hidden }] of layers.entries()) {
      expect(around(model, scores)[1]).toEqual(["Softmax"]);
      expect(around(model, hidden)[0]).toBe("LayerNormalization");
      const isLast = i === layers.length - 1;
      expect(around(model, hidden)[1].includes("Add")).toBe(!isLast);
      expect(around(model, hidden)[1].includes("ReduceMean")).toBe(isLast);
    }
    expect(new Set(layers.map(({ hidden }) => hidden)).size).toBe(3);
  });

  it("hand on the sums where norms precede the layers", () => {
    const model = vit(random(1), { size: 8, patch: 4, channels: 1, classes: 3, heads: 2, width: 16, depth: 2 });
    const { embedding: start, layers } = transformerLayers(model);
    expect(around(model, start)[0]).toBe("Add");
    expect(layers).toHaveLength(2);
    for (const { hidden } of layers) expect(around(model, hidden)[0]).toBe("Add");
    expect(around(model, layers[1]!.hidden)[1]).toEqual(["LayerNormalization"]);
  });

  it("are missed where there are none", () => {
    expect(() => transformerLayers(mlp(random(1), { input: [2], hidden: [4], classes: 2 }))).toThrow(
      /no layers of a transformer/,
    );
  });
});

describe("what of a transformer teaches", () => {
  it("are embeddings, and the layer g(m) for layer m, each of them counted", () => {
    const [student, teacher] = [bert(2, 8, 2), bert(6, 16, 2)];
    const [own, other] = [transformerLayers(student), transformerLayers(teacher)];
    const losses = transformerTargets(student, teacher);
    expect(losses.map(({ name, weight }) => [name, weight])).toEqual([
      ["embeddings", 1],
      ["hidden", 2],
      ["attention", 2],
    ]);
    expect(losses[0]!.pairs).toEqual([{ student: own.embedding, teacher: other.embedding }]);
    const followed = (layers: readonly number[], what: "hidden" | "scores") =>
      layers.map((layer, i) => ({ student: own.layers[i]![what], teacher: other.layers[layer - 1]![what] }));
    expect(losses[1]!.pairs).toEqual(followed([3, 6], "hidden"));
    expect(losses[2]!.pairs).toEqual(followed([3, 6], "scores"));
    const chosen = transformerTargets(student, teacher, { layers: [1, 4], embedding: 0, hidden: 0.5 });
    expect(chosen.map(({ name, weight }) => [name, weight])).toEqual([
      ["hidden", 1],
      ["attention", 2],
    ]);
    expect(chosen[0]!.pairs).toEqual(followed([1, 4], "hidden"));
  });

  it("stand in one graph with projections where widths differ, and the mean over heads where their numbers do", () => {
    for (const heads of [2, 4]) {
      const [student, teacher] = [bert(1, 8, 2), bert(2, 16, heads)];
      const { projections, terms } = jointModel(student, { teacher, losses: transformerTargets(student, teacher) });
      expect(projections).toHaveLength(2);
      expect(terms.map(({ name }) => name)).toEqual(["embeddings", "hidden", "attention"]);
    }
  });

  it("are refused where layers cannot be mapped", () => {
    expect(() => transformerTargets(bert(2, 8, 2), bert(3, 8, 2))).toThrow(
      /no multiple.*1 to 3.*student's 2.*--layers/,
    );
    expect(() => transformerTargets(bert(2, 8, 2), bert(3, 8, 2), { layers: [1, 4] })).toThrow(
      /2 layers of the teacher, 1 to 3/,
    );
  });
});

describeShared("the layers of an exported transformer", () => {
  it("are found", async () => {
    const { layers } = transformerLayers(await loadModel(sharedPath("models/bert-toy.onnx")));
    expect(layers).toHaveLength(5);
    expect(new Set(layers.flatMap(({ scores, hidden }) => [scores, hidden])).size).toBe(10);
  });
});
