/**
 * @file Trains the network of `lithe demo` on drawn glyphs and writes it as ONNX. Interrupted, it goes on from its checkpoint.
 *
 *   npm run build && node --import ./scripts/typescript.mjs scripts/demo-network.ts OUT.onnx CHECKPOINTS
 */
import { type GlyphSplit, glyphs, random } from "../src/data/index.ts";
import type { Model, Value } from "../src/ir/index.ts";
import {
  batchNorm,
  conv,
  globalAveragePool,
  kaimingNormal,
  type Layers,
  linear,
  maxPool,
  network,
} from "../src/nn/index.ts";
import { saveModel } from "../src/onnx/files.ts";
import { crossEntropy, evaluateModel, fit, oneCycle, sgd } from "../src/train/index.ts";

const port = { name: "image", dtype: "float32", dims: ["batch", 3, 32, 32] } as const;
const drawn = (split: GlyphSplit, size: number) => glyphs({ split, size, port });

/** A residual network of 6 blocks over 16×16 positions: He et al. (2015), arXiv:1512.03385. */
function glyphNet(seed: number): Model {
  return network(random(seed), (n) => {
    const x = n.input(port.name, port.dtype, port.dims);
    let y = maxPool(n, n.op("Relu", [normalised(n.scope("stem"), x, 32, 3, 1)]), { kernel: 2 });
    for (const [stage, channels] of [32, 64, 96].entries()) {
      y = block(n.scope(`block${2 * stage + 1}`), y, channels, stage > 0 ? 2 : 1);
      y = block(n.scope(`block${2 * stage + 2}`), y, channels, 1);
    }
    n.output(linear(n.scope("head"), globalAveragePool(n, y), 10), "logits");
  });
}

function block(n: Layers, x: Value, channels: number, stride: number): Value {
  const inner = n.op("Relu", [normalised(n.scope("1"), x, channels, 3, stride)]);
  const branch = normalised(n.scope("2"), inner, channels, 3, 1);
  const shortcut = stride === 1 ? x : normalised(n.scope("shortcut"), x, channels, 1, stride);
  return n.op("Relu", [n.op("Add", [branch, shortcut])]);
}

function normalised(n: Layers, x: Value, channels: number, kernel: number, stride: number): Value {
  const weight = kaimingNormal(channels * kernel * kernel);
  return batchNorm(n, conv(n, x, channels, { kernel, stride, bias: false, weight }));
}

async function main([out, folder]: readonly string[]): Promise<void> {
  if (out === undefined || folder === undefined) throw new Error("usage: demo-network.ts OUT.onnx CHECKPOINTS");
  const before = process.cpuUsage();
  const run = fit(glyphNet(0), {
    data: drawn("train", 44_800),
    evaluate: { data: drawn("calibration", 1000), metrics: ["accuracy"] },
    epochs: 2,
    batch: 64,
    loss: crossEntropy({ smoothing: 0.02 }),
    optimizer: sgd({ momentum: 0.9, nesterov: true, weightDecay: 5e-4 }),
    learningRate: 0.05,
    schedule: oneCycle({ rise: 0.2 }),
    decayExclude: [],
    seed: 0,
    session: { threads: 1 },
    checkpoint: { folder, everySteps: 100 },
    resume: true,
  });
  for await (const event of run) {
    if (event.type === "evaluation") console.log(`epoch ${event.epoch}: ${JSON.stringify(event.metrics)}`);
    if (event.type === "step" && event.step % 100 === 0) console.log(`step ${event.step}: ${event.loss.toFixed(4)}`);
  }
  const { model } = await run.result;
  await saveModel(out, model);
  const { user, system } = process.cpuUsage(before);
  const data = drawn("test", 5000);
  const test = await evaluateModel(model, { data, loss: "crossEntropy", metrics: ["accuracy"] });
  console.log(JSON.stringify({ test, cpuSeconds: Math.round((user + system) / 1e6) }));
}

await main(process.argv.slice(2));
