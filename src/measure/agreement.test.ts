import { describe, expect, it } from "vitest";
import { denseFeeds, denseModel, noise } from "../../test/models.ts";
import { DataError } from "../errors.ts";
import { float, graphBuilder, type Model, model, scalar, tensor } from "../ir/index.ts";
import { openSession } from "../runtime/index.ts";
import { measureAgreement } from "./agreement.ts";

/** Scores [batch, 3, …]: x, with `bonus` on class 1. */
function scores(bonus: number, extra: number[] = []): Model {
  const g = graphBuilder();
  const x = g.input("x", "float32", ["batch", 3, ...extra]);
  const offset = g.constant("offset", tensor("float32", [3, ...extra], [0, bonus, 0]));
  g.output(g.op("Add", [x, offset]), "y");
  return model(g.build());
}

const rows = [
  [1, 0, 0],
  [0, 1, 0],
  [0, 0, 1],
  [0.6, 0.5, 0],
];
const x = new Map([["x", tensor("float32", [4, 3], Float32Array.from(rows.flat()))]]);

describe("measureAgreement", () => {
  it("is perfect for a model and itself", async () => {
    await using a = await openSession(denseModel());
    await using b = await openSession(denseModel());
    const batches = [1, 2, 3].map((size) => ({ feeds: denseFeeds(size, size) }));
    expect(await measureAgreement(a, b, batches)).toMatchObject({ n: 6, maxAbs: 0, relative: 0, cosine: 1, top1: 1 });
  });

  it("ends at its deadline with the batches so far, and with one at least", async () => {
    await using a = await openSession(denseModel());
    let left = 0;
    const batches = function* () {
      for (const size of [1, 2, 4]) {
        left--;
        yield { feeds: denseFeeds(size, size) };
      }
    };
    const until = async (start: number) => {
      left = start;
      return (await measureAgreement(a, a, batches(), { deadline: { left: () => left } })).n;
    };
    expect([await until(0), await until(2), await until(3), await until(4)]).toEqual([1, 1, 3, 7]);
  });

  it("counts classes, and accuracy with a paired interval where there are labels", async () => {
    await using a = await openSession(scores(0));
    await using b = await openSession(scores(0.2));
    const found = await measureAgreement(a, b, [{ feeds: x, labels: [0, 1, 2, 0] }]);
    expect(found.top1).toBe(0.75);
    expect(found.accuracy).toMatchObject({ a: 1, b: 0.75, n: 4 });
    const [low, high] = found.accuracy!.interval;
    expect(low).toBeLessThanOrEqual(0.25);
    expect(high).toBeGreaterThanOrEqual(0.25);
    await expect(measureAgreement(a, b, [{ feeds: x, labels: [0] }])).rejects.toThrow(DataError);
    const wrong = [{ feeds: x, labels: [0, 1, -1, 0], sources: ["a", "b", "c", "d"] }];
    await expect(measureAgreement(a, b, wrong)).rejects.toThrow(/from 0 to 2; got -1; at sample c/);
  });

  it("sees scores in [N, C, 1, 1], and none in pictures or scalars", async () => {
    await using a = await openSession(scores(0, [1, 1]));
    const feeds = new Map([["x", { ...x.get("x")!, dims: [4, 3, 1, 1] }]]);
    expect((await measureAgreement(a, a, [{ feeds }])).top1).toBe(1);
    const g = graphBuilder();
    g.output(g.op("LeakyRelu", [g.input("x", "float32", [2, 3, 4])], { alpha: float(0.1) }), "y");
    await using picture = await openSession(model(g.build()));
    const found = await measureAgreement(picture, picture, [
      { feeds: new Map([["x", tensor("float32", [2, 3, 4], noise(24))]]) },
    ]);
    expect(found).not.toHaveProperty("top1");
  });

  it("takes the worst over the outputs", async () => {
    const two = (step: number): Model => {
      const g = graphBuilder();
      const input = g.input("x", "float32", [4, 3]);
      g.output(g.op("Neg", [input]), "same");
      g.output(g.op("Add", [input, g.constant("step", scalar("float32", step))]), "other");
      return model(g.build());
    };
    await using a = await openSession(two(0));
    await using b = await openSession(two(1));
    const found = await measureAgreement(a, b, [{ feeds: x }]);
    expect(found.perOutput.map(({ maxAbs }) => maxAbs)).toEqual([0, 1]);
    expect(found.maxAbs).toBe(1);
  });

  it("refuses to compare nothing", async () => {
    await using a = await openSession(denseModel());
    await expect(measureAgreement(a, a, [])).rejects.toThrow(DataError);
  });
});
