import { expect, it } from "vitest";
import { smallContext } from "../../test/small-context.ts";
import { denseBatches } from "../../test/small-job.ts";
import { layerSensitivity } from "./sensitivity.ts";

it("the sensitivity of each layer is measured on a few batches, and told as it goes", async () => {
  const read: number[] = [];
  const { context, told } = smallContext({
    async *calibration() {
      for await (const { feeds } of denseBatches(17)()) {
        read.push(read.length);
        yield feeds;
      }
    },
  });
  const layers = await layerSensitivity(context);
  expect(layers.map(({ node }) => node).sort()).toEqual(["first", "second"]);
  for (const { opType, divergence } of layers) expect([opType, divergence > 0]).toEqual(["MatMul", true]);
  expect(told).toEqual([
    ["sensitivity", 1, 2, "first"],
    ["sensitivity", 2, 2, "second"],
  ]);
  // Ranges, then the model as it is and with each layer quantized, on 16 of 17 batches.
  expect([read.length > 16, read.length % 16]).toEqual([true, 0]);
});
