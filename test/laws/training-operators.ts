/** @file ONNX's reference cases of Gradient, Adagrad, Adam and Momentum, lowered to standard operators and run. */
import { readdirSync, readFileSync } from "node:fs";
import { lowerTraining } from "../../src/autodiff/index.ts";
import { type Model, numbersOf, type Tensor } from "../../src/ir/index.ts";
import { loadModel } from "../../src/onnx/files.ts";
import { decodeTensorFile } from "../../src/onnx/tensor-file.ts";
import { rawFeeds, rawSession } from "../raw-runtime.ts";

export const trainingOperatorCases = [
  "node/test_adagrad",
  "node/test_adagrad_multiple",
  "node/test_adam",
  "node/test_adam_multiple",
  "simple/test_gradient_of_add",
  "simple/test_gradient_of_add_and_mul",
  "node/test_momentum",
  "node/test_momentum_multiple",
  "node/test_nesterov_momentum",
] as const;

/** The lowered model, and the largest difference from the published results on ONNX Runtime. */
export async function trainingOperatorCase(
  name: (typeof trainingOperatorCases)[number],
  shared: string,
): Promise<{ readonly lowered: Model; readonly difference: number }> {
  const folder = `${shared}/data/onnx-backend-tests/${name}`;
  const lowered = await lowerTraining(await loadModel(`${folder}/model.onnx`));
  const session = await rawSession(lowered);
  const inputs = tensors(folder, "input");
  const feeds = new Map(lowered.graph.inputs.map((input, i) => [input.name, inputs[i]!]));
  const results = await session.run(rawFeeds(feeds));
  await session.release();
  const differences = tensors(folder, "output").flatMap((expected, i) => {
    const got = results[session.outputNames[i]!]!.data as Float32Array;
    return Array.from(numbersOf(expected), (x, k) => Math.abs(got[k]! - x));
  });
  return { lowered, difference: Math.max(...differences) };
}

function tensors(folder: string, kind: "input" | "output"): Tensor[] {
  const data = `${folder}/test_data_set_0`;
  const files = readdirSync(data).filter((file) => file.startsWith(kind));
  return files.map((_, i) => decodeTensorFile(readFileSync(`${data}/${kind}_${i}.pb`)));
}
