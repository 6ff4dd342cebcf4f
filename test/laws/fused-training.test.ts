/** @file Laws of fused branches in training: the step of the fused model is the step of the unrolled one. */
import { describe, expect, it } from "vitest";
import {
  fuseBranches,
  joinStacked,
  rollBranches,
  splitStacked,
  stackedParameters,
  unfuseBranches,
} from "../../src/branches/index.ts";
import { type Model, type Tensor, tensorFromNumbers } from "../../src/ir/index.ts";
import { evaluate } from "../../src/reference/index.ts";
import {
  adamw,
  crossEntropy,
  type Optimizer,
  sgd,
  type TrainingStep,
  trainingStep,
  withParameters,
} from "../../src/train/index.ts";
import { trainedTensors } from "../../src/train/loop/trained-model.ts";
import { type BranchNetwork, branchNetworks, distance, feedsOf } from "../branch-networks.ts";

const names = Object.keys(branchNetworks) as BranchNetwork[];
const BATCH = 2;
const RATE = 0.05;
const STEPS = 2;

/** The model after some steps, and what the steps said. */
function trained(model: Model, optimizer: Optimizer): { model: Model; said: Map<string, Tensor> } {
  const isText = model.graph.inputs[0]!.name === "ids";
  const step: TrainingStep = trainingStep(model, {
    loss: crossEntropy({ axis: isText ? -1 : 1 }),
    optimizer,
    clip: 0.7,
  });
  const labels = isText
    ? tensorFromNumbers("int64", [BATCH, 5], [1, 5, 3, 2, 0, 4, 4, 10, 9, 8])
    : tensorFromNumbers("int64", [BATCH], [2, 0]);
  let state = new Map(step.state.map(({ name, initial }) => [name, initial]));
  const said = new Map<string, Tensor>();
  for (let i = 1; i <= STEPS; i++) {
    const results = evaluate(
      step.model,
      new Map([
        ...feedsOf(model, BATCH),
        ...state,
        [step.labels!, labels],
        [step.learningRate, tensorFromNumbers("float32", [], [RATE])],
        [step.step, tensorFromNumbers("int64", [], [i])],
      ]),
    );
    state = new Map(step.state.map(({ name, output }) => [name, results.get(output)!]));
    said.set(`loss ${i}`, results.get(step.loss)!);
    said.set(`norm ${i}`, results.get(step.gradientNorm!)!);
  }
  return { model: withParameters(model, trainedTensors(step, state)), said };
}

function parametersOf(model: Model): Map<string, Tensor> {
  return new Map([...model.graph.initializers].map(([{ name }, data]) => [name, data as Tensor]));
}

const optimizers = { "sgd with momentum": () => sgd({ momentum: 0.9 }), adamw: () => adamw({ weightDecay: 0.1 }) };

const forms = { fused: fuseBranches, rolled: rollBranches };

const cases = names.flatMap((name) => Object.entries(forms).map(([form, pass]) => ({ name, form, pass })));

describe.each(cases)("training with $form branches: $name", ({ name, pass }) => {
  it.each(Object.entries(optimizers))("%s takes the steps of the unrolled model", async (_, optimizer) => {
    const model = branchNetworks[name]({ branches: 3 });
    const { model: fused } = await pass().run(model);
    const [plain, side] = [trained(model, optimizer()), trained(fused, optimizer())];
    expect(distance(plain.said, side.said)).toBeLessThan(1e-6);
    const back = unfuseBranches(side.model, model);
    for (const [parameter, tensor] of parametersOf(plain.model)) {
      const got = parametersOf(back).get(parameter)!;
      expect(distance(new Map([["x", tensor]]), new Map([["x", got]])), parameter).toBeLessThan(1e-6);
    }
  });

  it("takes parameters there and back", async () => {
    const model = branchNetworks[name]({ branches: 2, depth: 2 });
    const { model: fused } = await pass().run(model);
    const stacked = stackedParameters(fused);
    const parts = splitStacked(parametersOf(fused), stacked);
    for (const part of stacked.flatMap((entry) => entry.parts))
      expect(parts.get(part)).toEqual(parametersOf(model).get(part));
    const again = joinStacked(parts, stacked);
    for (const { name: whole } of stacked) {
      expect(again.get(whole)!.data).toEqual(parametersOf(fused).get(whole)!.data);
    }
    expect(unfuseBranches(fused, model).graph.initializers).toEqual(model.graph.initializers);
  });
});
