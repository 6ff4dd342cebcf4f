import { expect, it } from "vitest";
import { numbersOf, type Tensor, tensor, tensorFromNumbers } from "../ir/index.ts";
import type { Batch } from "./agreement.ts";
import { withMaskProbes } from "./mask-probes.ts";

async function probesOf(feeds: ReadonlyMap<string, Tensor>): Promise<Batch[]> {
  const found: Batch[] = [];
  for await (const batch of withMaskProbes([{ feeds }, { feeds }])) if (batch.isProbe) found.push(batch);
  return found;
}

const ones = (dtype: "bool" | "int64" | "float32") => tensorFromNumbers(dtype, [2, 4], [1, 1, 1, 1, 1, 1, 1, 1]);

it("turns masks over in one row and in the later half of all, and leaves other inputs as they are", async () => {
  const ids = ones("int64");
  const probes = await probesOf(
    new Map([
      ["ids", ids],
      ["keep", ones("bool")],
      ["attention_mask", ones("int64")],
    ]),
  );
  expect(probes.map(({ feeds }) => [...numbersOf(feeds.get("keep")!)])).toEqual([
    [0, 0, 0, 0, 1, 1, 1, 1],
    [1, 1, 0, 0, 1, 1, 0, 0],
  ]);
  for (const { feeds } of probes) {
    expect([...numbersOf(feeds.get("attention_mask")!)]).toEqual([...numbersOf(feeds.get("keep")!)]);
    expect(feeds.get("ids")).toBe(ids);
  }
});

it("makes nothing up without masks, nor of a mask of other numbers", async () => {
  expect(await probesOf(new Map([["x", ones("float32")]]))).toEqual([]);
  expect(await probesOf(new Map([["bias_mask", tensor("float32", [2], [0, -1e4])]]))).toEqual([]);
});
