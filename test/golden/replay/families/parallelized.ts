/** @file Branches: found, fused, rolled, cut, masked, placed, and made from serial networks. */
import { type BranchNetwork, branchNetworks } from "../../../branch-networks.ts";
import { residualNetwork } from "../../../residual-networks.ts";
import { type Cases, each, namesOf } from "../case.ts";
import { branches, data, type Model, models, nn, parallel, train } from "../lithe.ts";

const { random } = data;

const shape = { channels: 1, size: 8, patch: 4, width: 8, heads: 2, classes: 3 } as const;

const serial: Readonly<Record<string, () => Model>> = {
  vit: () => models.vit(random(1), { ...shape, depth: 6 }),
  gpt: () => models.gpt(random(1), { vocabulary: 7, context: 5, width: 8, depth: 6, heads: 2 }),
  "blocks with a tail": () => residualNetwork({ blocks: 6, tail: "Relu" }),
};

const networks: readonly BranchNetwork[] = namesOf(branchNetworks);

/** A pass over branches, and what was fused taken apart again. */
async function thereAndBack(pass: ReturnType<typeof branches.fuseBranches>, name: BranchNetwork, depth: number) {
  const before = branchNetworks[name]({ branches: 3, depth });
  const { model, notes } = await pass.run(before);
  if (model === before) return { notes };
  return { model, notes, stacked: branches.stackedParameters(model), apart: branches.unfuseBranches(model, before) };
}

function arranged(arrangement: parallel.ArrangementName, branches: number, group: number) {
  return Object.entries(serial).map(([name, make]) => {
    const model = make();
    const survey = parallel.surveyBlocks(model);
    const plan = parallel.fullPlan(survey, { branches, group, arrangement });
    return { name, plan, depth: parallel.depthOf(survey.runs, plan), model: parallel.parallelizeBlocks(model, plan) };
  });
}

/** Of each stage some blocks. */
function arrangedStages(arrangement: parallel.ArrangementName): Model {
  const windows = [0, 1, 2].map((run) => ({ run, first: 0 }));
  return parallel.parallelizeBlocks(models.resnet(random(1), { depth: 26, width: 4, size: 8 }), {
    branches: 3,
    arrangement,
    windows,
  });
}

function paraFormer(combine: nn.CombinationName): Model {
  return models.paraFormer(random(3), { ...shape, depth: 2, branches: 3, combine, pooling: "class" });
}

const crossEntropy = { loss: "crossEntropy", optimizer: "sgd" } as const;

async function fusedStep(pass: ReturnType<typeof branches.fuseBranches>) {
  const { model } = await pass.run(paraFormer("learnedScale"));
  return train.trainingStep(model, crossEntropy);
}

function heads(names: readonly string[]): Model {
  return nn.network(random(2), (n) => {
    const trunk = n.op("Relu", [nn.linear(n.scope("trunk"), n.input("x", "float32", ["batch", 6]), 8)]);
    const head = (inner: nn.Layers, x: typeof trunk) =>
      nn.linear(inner.scope("out"), nn.mlpBlock(inner.scope("mlp"), x, { hidden: 10 }), 3);
    for (const [name, value] of nn.parallelHeads(n, trunk, head, names)) n.output(value, name);
    n.output(nn.headEnsemble(n.scope("all"), trunk, head, { heads: 3, combine: "mean" }), "ensemble");
  });
}

export const parallelized: Cases = {
  ...each("fused", networks, (name) => thereAndBack(branches.fuseBranches(), name, 1)),
  ...each("rolled", networks, (name) => thereAndBack(branches.rollBranches(), name, 2)),
  ...each("combination", namesOf(nn.combinations), async (combine) => ({
    plain: paraFormer(combine),
    fused: await branches.fuseBranches().run(paraFormer(combine)),
    kept: parallel.keepBranches(paraFormer(combine), 2),
  })),
  ...each("arrangement", namesOf(parallel.arrangements), (arrangement) => [
    ...arranged(arrangement, 3, 1),
    ...arranged(arrangement, 2, 1),
    arrangedStages(arrangement),
  ]),
  ...each("survey", Object.keys(serial), (name) =>
    parallel.surveyBlocks(serial[name]!()).runs.map(({ blocks, period }) => ({ blocks: blocks.length, period })),
  ),
  ...each("partition", networks, (name) =>
    [1, 2, 3, 4].map((size) => parallel.partitionBranches(branchNetworks[name]({ branches: 4 }), size)),
  ),
  ...each("parts", networks, (name) => parallel.stepParts(branchNetworks[name]({ branches: 4 }))),
  ...each("cut and masked", networks, (name) => {
    const model = branchNetworks[name]({ branches: 3 });
    return [1, 2].map((kept) => parallel.keepBranches(model, kept)).concat(parallel.maskBranches(model).model);
  }),
  ...each("from serial", ["vit", "gpt"], (name) =>
    [2, 3].map((count) => parallel.branchesFromSerial(serial[name]!(), count)),
  ),
  "fused, in training": () => fusedStep(branches.fuseBranches()),
  "rolled, in training": () => fusedStep(branches.rollBranches()),
  "prefixes, in training": () => {
    const prefixed = parallel.withPrefixOutputs(paraFormer("residualSum"));
    const terms = parallel.prefixTerms(prefixed, "crossEntropy");
    return { prefixed, step: train.trainingStep(prefixed.model, { ...crossEntropy, terms }) };
  },
  "progressive masks": () => {
    const { train: at, evaluate } = parallel.progressiveBranches(3, { together: 0.25 });
    return { evaluate, turns: [0, 1, 2, 5, 7].map((update) => at({ batch: update, update, updates: 8, seed: 0 })) };
  },
  "a whole run without measurement": async () => {
    const { model, plan, depth } = await parallel.parallelize(serial.vit!(), { branches: 3 }).result;
    return { model, plan, depth };
  },
  "heads, fused": async () => branches.fuseBranches().run(heads(["colour", "shape", "size", "place", "kind"])),
};
