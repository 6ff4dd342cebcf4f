import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { denseModel } from "../../test/models.ts";
import { rawFeeds, rawSession } from "../../test/raw-runtime.ts";
import { describeShared, sharedPath } from "../../test/shared.ts";
import { type Model, numbersOf, type Tensor } from "../ir/index.ts";
import { loadModel } from "../onnx/files.ts";
import { decodeTensorFile } from "../onnx/tensor-file.ts";
import { lowerTraining } from "./lower-training.ts";

const folder = "data/onnx-backend-tests";
const cases = [
  "node/test_adagrad",
  "node/test_adagrad_multiple",
  "node/test_adam",
  "node/test_adam_multiple",
  "simple/test_gradient_of_add",
  "simple/test_gradient_of_add_and_mul",
  "node/test_momentum",
  "node/test_momentum_multiple",
  "node/test_nesterov_momentum",
];

function tensors(name: string, kind: "input" | "output"): Tensor[] {
  const data = sharedPath(`${folder}/${name}/test_data_set_0`);
  const files = readdirSync(data).filter((file) => file.startsWith(kind));
  return files.map((_, i) => decodeTensorFile(readFileSync(`${data}/${kind}_${i}.pb`)));
}

function feedsOf(model: Model, inputs: readonly Tensor[]): Map<string, Tensor> {
  return new Map(model.graph.inputs.map(({ name }, i) => [name, inputs[i]!]));
}

describeShared("ONNX's training operators, lowered", () => {
  for (const name of cases) {
    it(`${name} gives the published results on ONNX Runtime`, async () => {
      const lowered = await lowerTraining(await loadModel(sharedPath(`${folder}/${name}/model.onnx`)));
      expect([...lowered.opsets.keys()]).not.toContain("ai.onnx.preview.training");
      const session = await rawSession(lowered);
      const results = await session.run(rawFeeds(feedsOf(lowered, tensors(name, "input"))));
      await session.release();
      tensors(name, "output").forEach((expected, i) => {
        const got = Array.from(results[session.outputNames[i]!]!.data as Float32Array);
        [...numbersOf(expected)].forEach((x, k) => void expect(got[k]).toBeCloseTo(x, 5));
      });
    });
  }
});

describe("lowerTraining", () => {
  it("leaves other models as they are", async () => {
    const model = denseModel();
    expect((await lowerTraining(model)).graph.nodes.map(({ opType }) => opType)).toEqual(
      model.graph.nodes.map(({ opType }) => opType),
    );
  });
});
