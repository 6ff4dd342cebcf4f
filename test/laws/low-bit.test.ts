/** @file Networks of few levels from training to file: what is written answers as what was trained, on every provider, in few bits. */
import { describe, expect, it } from "vitest";
import { evaluateWith } from "../../src/accelerate/index.ts";
import { batches, glyphs, random } from "../../src/data/index.ts";
import { floatsOf, type Model } from "../../src/ir/index.ts";
import { type VggOptions, vgg } from "../../src/models/index.ts";
import { encodedSize } from "../../src/onnx/index.ts";
import { cleanup } from "../../src/passes/index.ts";
import { quantizeLevels, quantizeWeights } from "../../src/quantize/index.ts";
import { type Feeds, openSession } from "../../src/runtime/index.ts";
import { fit, withinClips } from "../../src/train/index.ts";

const CLASSES = 10;
const HELD_OUT = 1000;

async function trained(options: VggOptions): Promise<Model> {
  const run = fit(vgg(random(1), { width: 8, ...options }), {
    data: glyphs({ split: "train", size: 200 }),
    epochs: 3,
    batch: 20,
    learningRate: 0.003,
    loss: "crossEntropy",
    optimizer: "adamw",
    algorithms: [withinClips()],
    seed: 3,
  });
  return (await run.result).model;
}

let drawn: Promise<Feeds[]> | undefined;

/** The pictures that nothing was trained on, drawn once. */
function heldOut(): Promise<Feeds[]> {
  drawn ??= (async () => {
    const found: Feeds[] = [];
    for await (const { feeds } of batches(glyphs({ split: "test", size: HELD_OUT }), { batch: 100 })) found.push(feeds);
    return found;
  })();
  return drawn;
}

/** The class that each picture is taken for. */
async function answers(model: Model, ep: "cpu" | "wasm"): Promise<number[]> {
  await using session = await openSession(model, { ep });
  const found: number[] = [];
  for (const feeds of await heldOut()) {
    const logits = floatsOf((await session.run(feeds)).get("logits")!);
    for (let start = 0; start < logits.length; start += CLASSES) {
      const own = logits.subarray(start, start + CLASSES);
      found.push(own.indexOf(Math.max(...own)));
    }
  }
  return found;
}

const kinds = {
  "ternary weights with trained scales": { options: { weights: "ttq" }, bits: 2 },
  "binary weights and inputs": { options: { weights: "bwn", activations: "binary" }, bits: 1 },
} as const;

describe.each(Object.entries(kinds))("%s", (_, { options, bits }) => {
  it("are packed, and answer as in training", async () => {
    const model = await trained(options);
    const { model: clean } = await cleanup({ evaluate: evaluateWith(openSession) }).run(model);
    const { model: packed, report } = quantizeLevels(clean);
    const found = report.layers.filter(({ quantized }) => quantized);
    expect(found.map(({ bits: own }) => own)).toEqual(new Array<number>(6).fill(bits));
    expect(encodedSize(packed)).toBeLessThan(encodedSize(clean) / 4);
    const expected = await answers(model, "cpu");
    expect(new Set(expected).size).toBeGreaterThan(3);
    const isSymmetric = options.weights !== "ttq";
    const { model: products } = await quantizeWeights(clean, {
      bits: 2,
      symmetric: true,
      accuracyLevel: 0,
      include: report.layers.slice(-2, -1).map(({ node }) => node),
    });
    for (const [form, ep] of [
      [packed, "cpu"],
      [packed, "wasm"],
      ...(isSymmetric ? [[products, "cpu"] as const] : []),
    ] as const) {
      const got = await answers(form, ep);
      const same = got.filter((answer, i) => answer === expected[i]).length;
      expect(same / HELD_OUT).toBeGreaterThanOrEqual(0.999);
    }
  });
});
