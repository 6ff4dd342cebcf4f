import { describe, expect, it } from "vitest";
import { trainingOperatorCase, trainingOperatorCases } from "../../test/laws/training-operators.ts";
import { denseModel } from "../../test/models.ts";
import { describeShared, sharedPath } from "../../test/shared.ts";
import { lowerTraining } from "./lower-training.ts";

describeShared("ONNX's training operators, lowered", () => {
  it.each(trainingOperatorCases)("%s gives the published results on ONNX Runtime", async (name) => {
    const { lowered, difference } = await trainingOperatorCase(name, sharedPath(""));
    expect([...lowered.opsets.keys()]).not.toContain("ai.onnx.preview.training");
    expect(difference).toBeLessThan(5e-6);
  });
});

describe("lowerTraining", () => {
  it("leaves other models as they are", async () => {
    const model = denseModel();
    expect((await lowerTraining(model)).graph.nodes.map(({ opType }) => opType)).toEqual(
      model.graph.nodes.map(({ opType }) => opType),
    );
  });
});
