import { expect, it } from "vitest";
import { describeShared, sharedPath } from "../../test/shared.ts";
import { typedArray } from "../ir/index.ts";
import { batches, collect, openData } from "./index.ts";

describeShared("real data sets", () => {
  it("reads CIFAR-10", async () => {
    const data = await openData(sharedPath("data/cifar10/test-5000.bin"), { preprocess: "cifar10" });
    expect(data.size).toBe(5000);
    expect(data.classes?.[9]).toBe("truck");
    const labels = await data.labels!();
    const [batch] = await collect(batches(data, { batch: 4, limit: 4 }));
    expect(batch?.labels).toEqual(Array.from(labels).slice(0, 4));
    expect(batch?.feeds.get("input")?.dims).toEqual([4, 3, 32, 32]);
  });

  it("reads Fashion-MNIST with its labels", async () => {
    const data = await openData(sharedPath("data/fashion-mnist/t10k-images-idx3-ubyte.gz"), { preprocess: "mnist" });
    const counts = new Array<number>(10).fill(0);
    for (const label of Array.from(await data.labels!())) counts[label]!++;
    expect(counts).toEqual(new Array(10).fill(1000));
  });

  it.each([
    ["at the pictures' own size", 224, [6185607, 7650362, 6599245], [116, 189, 178]],
    ["resized to the shorter side 201", 176, [3805017, 4717843, 4069902], [75, 140, 125]],
  ])("gives the pixels that Pillow gives, %s", async (_, side, sums, corner) => {
    const port = { name: "data", dtype: "uint8", dims: ["N", side, side, 3] } as const;
    const data = await openData(sharedPath("data/imagenet-samples"), { preprocess: "imagenet", port });
    expect(data.size).toBe(500);
    const [sample] = await collect(data.pick([3]));
    expect(sample?.label).toBe(6);
    const pixels = typedArray(sample!.inputs.get("data")!) as Uint8Array;
    expect([0, 1, 2].map((c) => pixels.reduce((sum, value, i) => (i % 3 === c ? sum + value : sum), 0))).toEqual(sums);
    expect([...pixels.subarray(0, 3)]).toEqual(corner);
  });
});
