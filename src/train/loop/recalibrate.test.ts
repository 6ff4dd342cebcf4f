/** @file Statistics measured anew: those of the batches, and nothing else changed. */
import { describe, expect, it } from "vitest";
import { moons, network } from "../../../test/moons.ts";
import { collect, subset } from "../../data/index.ts";
import { isSparse, type Model, numbersOf, type Tensor, tensorFromNumbers } from "../../ir/index.ts";
import { evaluate } from "../../reference/index.ts";
import { openReference } from "../../runtime/reference.ts";
import { recalibrated } from "../index.ts";
import { withParameters } from "./trained-model.ts";

const open = openReference;

function tensorsOf({ graph }: Model): Map<string, Tensor> {
  return new Map([...graph.initializers].flatMap(([{ name }, data]) => (isSparse(data) ? [] : [[name, data]])));
}

/** What the norm reads of the samples: x · w1 + b1, sample by sample. */
async function hidden(positions: readonly number[]): Promise<number[][]> {
  const samples = await collect(subset(moons(40, 3), positions));
  const tensors = tensorsOf(network());
  const [w, b] = [numbersOf(tensors.get("w1")!), numbersOf(tensors.get("b1")!)];
  return samples.map(({ inputs }) => {
    const [x0, x1] = numbersOf(inputs.get("x")!);
    return [...b].map((bias, i) => bias + x0! * w[i]! + x1! * w[16 + i]!);
  });
}

function meansAndVariances(rows: readonly number[][]): [number[], number[]] {
  const means = rows[0]!.map((_, i) => rows.reduce((sum, row) => sum + row[i]!, 0) / rows.length);
  const variances = means.map(
    (mean, i) => rows.reduce((sum, row) => sum + (row[i]! - mean) ** 2, 0) / (rows.length - 1),
  );
  return [means, variances];
}

describe("recalibrated", () => {
  it("has the statistics of its batch, and all else as it was", async () => {
    const model = withParameters(
      network(),
      new Map([["mean", tensorFromNumbers("float32", [16], new Array<number>(16).fill(1e6))]]),
    );
    const data = subset(moons(40, 3), [0, 1, 2, 3, 4, 5, 6, 7]);
    const after = tensorsOf(await recalibrated(model, { data, batch: 8, open }));
    const [means, variances] = meansAndVariances(await hidden([0, 1, 2, 3, 4, 5, 6, 7]));
    for (const [i, x] of numbersOf(after.get("mean")!).entries()) expect(x).toBeCloseTo(means[i]!, 5);
    for (const [i, x] of numbersOf(after.get("var")!).entries()) expect(x).toBeCloseTo(variances[i]!, 5);
    const before = tensorsOf(model);
    expect([...after.keys()]).toEqual([...before.keys()]);
    for (const [name, tensor] of before) if (!["mean", "var"].includes(name)) expect(after.get(name)).toBe(tensor);
  });

  it("is the same on ONNX Runtime", async () => {
    const data = subset(
      moons(40, 3),
      Array.from({ length: 20 }, (_, i) => i),
    );
    const after = tensorsOf(await recalibrated(network(), { data, batch: 10 }));
    const expected = tensorsOf(await recalibrated(network(), { data, batch: 10, open }));
    for (const name of ["mean", "var"])
      for (const [i, x] of numbersOf(after.get(name)!).entries())
        expect(x).toBeCloseTo(numbersOf(expected.get(name)!)[i]!, 5);
  });

  it("takes the mean over the batches, by their samples", async () => {
    const data = subset(moons(40, 3), [0, 1, 2, 3, 4, 5]);
    const all = await hidden([0, 1, 2, 3, 4, 5]);
    const after = tensorsOf(await recalibrated(network(), { data, batch: 4, open }));
    const [means] = meansAndVariances(all);
    for (const [i, x] of numbersOf(after.get("mean")!).entries()) expect(x).toBeCloseTo(means[i]!, 5);
    const few = tensorsOf(await recalibrated(network(), { data, batch: 4, batches: 1, open }));
    expect(few.get("mean")).not.toEqual(after.get("mean"));
  });

  it("changes what the network answers at inference to what it answers over the batch", async () => {
    const data = subset(
      moons(40, 3),
      Array.from({ length: 32 }, (_, i) => i),
    );
    const model = await recalibrated(network(), { data, batch: 32, open });
    const x = tensorFromNumbers("float32", [1, 2], [0.3, 0.4]);
    const scores = (of: Model) => [...numbersOf(evaluate(of, new Map([["x", x]])).get("logits")!)];
    expect(scores(model)).not.toEqual(scores(network()));
    expect(scores(await recalibrated(model, { data, batch: 32, open }))).toEqual(scores(model));
  });

  it("gives a model without norms back, and says what it cannot do", async () => {
    const data = moons(8, 1);
    const { opsets } = network();
    const older = { ...network(), opsets: new Map([...opsets, ["", 17]]) };
    await expect(recalibrated(older, { data, open })).rejects.toThrow(/expected opset 21; got opset 17/);
    await expect(recalibrated(network(), { data: subset(data, []), open })).rejects.toThrow(/too few samples/);
    const bare = withoutNorm();
    expect(await recalibrated(bare, { data, open })).toBe(bare);
  });
});

function withoutNorm(): Model {
  const model = network();
  const { graph } = model;
  const nodes = graph.nodes.map((node) =>
    node.opType === "BatchNormalization" ? { ...node, opType: "Identity", inputs: node.inputs.slice(0, 1) } : node,
  );
  return { ...model, graph: { ...graph, nodes } };
}
