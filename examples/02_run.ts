/** Runs a model in a worker thread and times it. */
import { benchmark, openSession } from "litheml";
import { demoModelPath, syntheticFeeds } from "litheml/data";
import { loadModel } from "litheml/onnx/files";

const model = await loadModel(await demoModelPath());
await using session = await openSession(model, { ep: "cpu", threads: 1 });
const { feeds } = syntheticFeeds(session.inputs, { seed: 1 });
const outputs = await session.run(feeds);
for (const [name, { dtype, dims }] of outputs) console.log(name, dtype, dims);

const { p50, throughput } = await benchmark(session, feeds, { rounds: 50 });
console.log(`p50 ${p50.toFixed(3)} ms, ${throughput.toFixed(0)} samples/s`);
