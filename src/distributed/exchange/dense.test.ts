import { expect, it } from "vitest";
import { denseExchange, localTransports, openCommunicator } from "../index.ts";

it("gives every rank the mean of each tensor", async () => {
  const ranks = localTransports(3).map(openCommunicator);
  const own = ranks.map(({ rank }) => [
    { name: "weight", dims: [2, 2], values: Float32Array.of(rank, 1, rank * 2, -3 * rank) },
    { name: "bias", dims: [1], values: Float32Array.of(6 + rank) },
  ]);
  await Promise.all(ranks.map((rank, i) => denseExchange({ algorithm: "tree" }).average(rank, own[i] ?? [], 1)));
  for (const gradients of own) {
    expect(gradients.map(({ values }) => Array.from(values))).toEqual([[1, 1, 2, -3], [7]]);
  }
  await Promise.all(ranks.map((rank) => rank[Symbol.asyncDispose]()));
});
