/** @file Trained networks that are trained further: distilled, given other heads, or adapters. */
import { smallNetworks } from "../../../small-networks.ts";
import { type Cases, each, namesOf } from "../case.ts";
import { data, distill, type Model, models, train } from "../lithe.ts";

type Losses = readonly distill.DistillationLoss[];

const shape = { size: 8, patch: 4, channels: 1, classes: 3, heads: 2 } as const;
const teacher = (): Model => models.vit(data.random(1), { ...shape, width: 16, depth: 2 });
const student = (): Model => models.vit(data.random(2), { ...shape, width: 12, depth: 1 });

/** The end of the first block of both. */
const pairs = [{ teacher: "block0/add_1", student: "block0/add_1" }];

const scores = [{ teacher: "block0/attention/matmul", student: "block0/attention/matmul" }];

const losses: Readonly<Record<distill.DistillationLossName, () => Losses>> = {
  softTargets: () => [distill.softTargets({ temperature: 4 })],
  features: () => [distill.features({ pairs, weight: 0.5 })],
  attentionMaps: () => [distill.attentionMaps({ pairs })],
  relations: () => [distill.relations({ pairs })],
  standardisedTargets: () => [distill.standardisedTargets({ temperature: 2 })],
  decoupledTargets: () => [distill.decoupledTargets()],
  correlations: () => [distill.correlations()],
  hints: () => [distill.hints({ pairs })],
  attentionScores: () => [distill.attentionScores({ pairs: scores })],
  distances: () => [distill.distances({ pairs })],
  angles: () => [distill.angles({ pairs })],
  contrasts: () => [distill.contrasts({ pairs, classes: [0, 1, 0, 2], width: 4, negatives: 3 })],
};

function joint(chosen: Losses, withLabels = false) {
  const { model, terms, output, projections, teacherNodes, carry } = distill.jointModel(student(), {
    teacher: teacher(),
    losses: chosen,
  });
  const inference = ({ name }: { readonly name: string }) => teacherNodes.has(name);
  const trainable = ["*"];
  const freeze = ["teacher/*"];
  const loss = withLabels ? { loss: "crossEntropy" as const } : {};
  const step = train.trainingStep(model, {
    ...loss,
    terms,
    output,
    carry,
    optimizer: "sgd",
    trainable,
    freeze,
    inference,
  });
  return { model, output, projections, teacherNodes, step };
}

const subjects = ["mlp", "lenet", "vit", "gpt"] as const;

export const tuned: Cases = {
  ...each("distilled by", namesOf(distill.distillationLosses), (name) =>
    joint(losses[name](), name === "decoupledTargets"),
  ),
  "distilled by all, with labels": () =>
    joint(
      namesOf(losses).flatMap((name) => losses[name]()),
      true,
    ),
  ...each("another head on", ["mlp", "lenet", "resnet", "vit"] as const, (name) => {
    const head = train.replaceHead(smallNetworks[name].make(1), { classes: 5, seed: 2 });
    return { head, step: train.trainingStep(head.model, { loss: "crossEntropy", optimizer: "adamw" }) };
  }),
  ...each("adapters on", subjects, (name) => {
    const { make, axis } = smallNetworks[name];
    const { model, parameters } = train.addLora(make(1), { rank: 2, alpha: 3, seed: 4 });
    const tensors = train.loraTensors(model, parameters);
    const step = train.trainingStep(model, {
      loss: train.crossEntropy({ axis }),
      optimizer: "adamw",
      trainable: parameters,
    });
    return { parameters, step, merged: train.mergeLora(make(1), tensors), applied: train.applyLora(make(2), tensors) };
  }),
};
