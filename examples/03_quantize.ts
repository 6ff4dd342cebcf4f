/** Quantizes a model to int8 with your own calibration data and compares it with the original. */
import { cleanup, compareSessions, encodeModel, openSession } from "litheml";
import { evaluateWith } from "litheml/accelerate";
import { batches, collect, demoModelPath, glyphs } from "litheml/data";
import { loadModel } from "litheml/onnx/files";
import { quantize } from "litheml/quantize";

const original = await loadModel(await demoModelPath());
await using a = await openSession(original);
const port = a.inputs[0]!;

const { model } = await cleanup({ evaluate: evaluateWith(openSession) }).run(original);
async function* calibration() {
  for await (const { feeds } of batches(glyphs({ split: "calibration", size: 64, port }))) yield feeds;
}
const { model: small } = await quantize(model, { form: "static", open: openSession, calibration, observer: "mse" });

const samples = await collect(batches(glyphs({ split: "test", size: 200, port })));
await using b = await openSession(small, { stock: true });
const { size, latency, accuracy } = await compareSessions(
  { session: a, bytes: encodeModel(original).byteLength },
  { session: b, bytes: encodeModel(small).byteLength },
  { threads: 1, batch: 1, feeds: samples[0]!.feeds, batches: samples },
);
console.log(`${size.ratio.toFixed(2)}× smaller, ${latency.ratio.toFixed(2)}× faster`);
console.log(`accuracy ${accuracy?.a} → ${accuracy?.b}`);
