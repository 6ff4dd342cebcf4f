/**
 * Runs models on the ONNX Runtime that stands in a folder, as an application without lithe does:
 * `node runner.mjs FOLDER node|web JOBS RESULTS`. JOBS has one JSON object a line, `{ id, model, feeds }`; a line of RESULTS
 * is written for each as soon as it is done, so that whoever started this process knows which model ended it.
 */
import { appendFileSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [folder, build, jobs, results] = process.argv.slice(2);
// This binding sees Float16Array wherever it exists, and takes Uint16Array alone.
Reflect.deleteProperty(globalThis, "Float16Array");
const resolve = createRequire(join(folder, "package.json")).resolve;
const ort = await import(pathToFileURL(resolve(`onnxruntime-${build}`)).href);
const { InferenceSession, Tensor, env } = ort.InferenceSession ? ort : ort.default;
if (build === "web") env.wasm.numThreads = 1;

const arrays = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Uint16Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
  bool: Uint8Array,
};

function tensorOf({ dtype, dims, data, texts }) {
  if (dtype === "string") return new Tensor("string", texts, dims);
  const bytes = Buffer.from(data, "base64");
  const array = new arrays[dtype](bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
  return new Tensor(dtype, array, dims);
}

function plain({ type, dims, data }) {
  if (type === "string") return { dtype: type, dims, texts: data };
  return { dtype: type, dims, data: Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("base64") };
}

async function answer({ model, feeds }) {
  const options = { intraOpNumThreads: 1, logSeverityLevel: 4, executionProviders: [build === "web" ? "wasm" : "cpu"] };
  const session = await InferenceSession.create(readFileSync(model), options);
  try {
    const given = JSON.parse(readFileSync(feeds, "utf8"));
    const fed = Object.fromEntries(Object.entries(given).map(([name, value]) => [name, tensorOf(value)]));
    const outputs = await session.run(fed);
    return Object.fromEntries(Object.entries(outputs).map(([name, value]) => [name, plain(value)]));
  } finally {
    await session.release();
  }
}

for (const line of readFileSync(jobs, "utf8").split("\n").filter(Boolean)) {
  const job = JSON.parse(line);
  appendFileSync(results, `${JSON.stringify({ begun: job.id })}\n`);
  let result;
  try {
    result = { outputs: await answer(job) };
  } catch (error) {
    result = { error: String(error?.message ?? error) };
  }
  appendFileSync(results, `${JSON.stringify({ id: job.id, ...result })}\n`);
}
process.exit();
