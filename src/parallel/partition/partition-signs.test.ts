import { describe, expect, it } from "vitest";
import { random } from "../../data/index.ts";
import { UnsupportedError } from "../../errors.ts";
import { isSparse, type Model, numbersOf, sizeOf, tensorFromNumbers, withGraph } from "../../ir/index.ts";
import { type VggOptions, vgg } from "../../models/index.ts";
import { cleanup } from "../../passes/index.ts";
import { evaluate } from "../../reference/index.ts";
import { type Feeds, openPartition, openSession, runPartition } from "../../runtime/index.ts";
import { partitionSigns } from "./partition-signs.ts";

/** With normalisations that move what they see, since sums of signs that are 0 in floats may round to either side. */
function shifted(model: Model): Model {
  const drawn = random(3);
  const initializers = [...model.graph.initializers].map(([value, data]) => {
    if (!value.name.endsWith("bias") || isSparse(data)) return [value, data] as const;
    const numbers = Array.from({ length: sizeOf(data.dims) }, () => 0.3 * drawn.normal());
    return [value, tensorFromNumbers("float32", data.dims, numbers)] as const;
  });
  return withGraph(model, { ...model.graph, initializers: new Map(initializers) });
}

async function cleaned(options: VggOptions): Promise<Model> {
  const model = shifted(vgg(random(1), { width: 4, size: 8, channels: 1, classes: 3, ...options }));
  const pass = cleanup({ evaluate: async (part, feeds) => evaluate(part, feeds, { precision: "declared" }) });
  return (await pass.run(model)).model;
}

const source = random(7);
const feeds: Feeds = new Map([
  [
    "input",
    tensorFromNumbers(
      "float32",
      [2, 1, 8, 8],
      Array.from({ length: 128 }, () => source.normal()),
    ),
  ],
]);

const kinds = {
  "XNOR-Net with input scales": { weights: "bwn", activations: "binary", inputScale: true },
  "BNN, its normalisations folded into the layers": {
    weights: "binaryConnect",
    activations: "binary",
    order: "layer-first",
  },
} as const satisfies Record<string, VggOptions>;

describe.each(Object.entries(kinds))("%s", (_, options) => {
  it("is cut at every layer of signs, and computes the same", async () => {
    const model = await cleaned(options);
    const partition = partitionSigns(model);
    const layers = partition.steps.flatMap((step) => (step.kind === "signs" ? [step.layer] : []));
    expect(layers.map(({ kind }) => kind)).toEqual([...new Array<string>(5).fill("convolution"), "product"]);
    await using whole = await openSession(model);
    const expected = numbersOf((await whole.run(feeds)).get("logits")!);
    await using wasm = await openPartition(partition, { ep: "wasm" });
    await using cpu = await openPartition(partition);
    const results = [
      await wasm.run(feeds),
      await cpu.run(feeds),
      await runPartition(partition, feeds, (part, given) => evaluate(part, given, { precision: "declared" })),
    ];
    for (const result of results) {
      const got = numbersOf(result.get("logits")!);
      for (const [i, x] of expected.entries()) expect(got[i]!).toBeCloseTo(x, 4);
    }
  });
});

it("a network without layers of signs is refused", async () => {
  const model = await cleaned({ weights: "bwn" });
  expect(() => partitionSigns(model)).toThrow(UnsupportedError);
});
