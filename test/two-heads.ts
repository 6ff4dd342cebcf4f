/** @file A small student with a head for each of several tasks over drawn glyphs. */
import { random } from "../src/data/index.ts";
import type { Model } from "../src/ir/index.ts";
import { conv, globalAveragePool, linear, network } from "../src/nn/index.ts";

/** From pictures of 3 × 32 × 32 to the scores of ten classes, under each of the names. */
export function twoHeads(names: readonly string[]): Model {
  return network(random(1), (n) => {
    const x = n.input("image", "float32", ["batch", 3, 32, 32]);
    const trunk = n.op("Relu", [conv(n.scope("trunk"), x, 8, { kernel: 3, stride: 2 })]);
    const pooled = globalAveragePool(n, trunk);
    for (const name of names) n.output(linear(n.scope(`${name}-head`), pooled, 10), name);
  });
}
