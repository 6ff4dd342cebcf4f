/** @file Laws of branches: combinations and their variance, cutting, masking, prefixes, and the start from a serial network. */
import { describe, expect, it } from "vitest";
import { datasetOf, random } from "../../src/data/index.ts";
import { type Model, numbersOf, type Tensor, tensorFromNumbers, type Value, verify } from "../../src/ir/index.ts";
import { gpt, paraFormer, paraGpt, paraResnet, vit } from "../../src/models/index.ts";
import {
  branches,
  type CombinationName,
  chain,
  combinations,
  type Layers,
  linear,
  network,
  normal,
  parallelChains,
  residual,
} from "../../src/nn/index.ts";
import {
  branchesFromSerial,
  keepBranches,
  maskBranches,
  prefixTerms,
  progressiveBranches,
  withPrefixOutputs,
} from "../../src/parallel/index.ts";
import { evaluate } from "../../src/reference/index.ts";
import { fit, withParameters } from "../../src/train/index.ts";
import { type BranchNetwork, branchNetworks, distance, feedsOf } from "../branch-networks.ts";

const names = Object.keys(combinations) as CombinationName[];
const small = { channels: 1, size: 8, patch: 4, width: 8, heads: 2, classes: 3 };

/** Networks of three branches. */
const networks: readonly (readonly [string, () => Model])[] = [
  ...names.map(
    (combine) =>
      [
        `paraFormer, ${combine}`,
        () => paraFormer(random(3), { ...small, depth: 2, branches: 3, combine, pooling: "class" }),
      ] as const,
  ),
  ["paraGpt", () => paraGpt(random(3), { vocabulary: 11, context: 5, width: 8, heads: 2, branches: 3 })],
  ["paraResnet", () => paraResnet(random(3), { width: 4, channels: 1, size: 8, branches: 3 })],
  [
    "stages",
    () =>
      network(random(3), (n) => {
        const block = (scope: Layers, y: Value) => residual(scope, y, (inner) => linear(scope, inner, 6));
        const stage = (scope: Layers, y: Value) => parallelChains(scope, y, block, { depth: 2, branches: 3 });
        n.output(chain(n, n.input("x", "float32", ["batch", 6]), stage, 2), "y");
      }),
  ],
  ...(Object.keys(branchNetworks) as BranchNetwork[]).map(
    (name) => [name, () => branchNetworks[name]({ branches: 3 })] as const,
  ),
];

function answers(model: Model, extra: ReadonlyMap<string, Tensor> = new Map()): ReadonlyMap<string, Tensor> {
  return evaluate(model, new Map([...feedsOf(model, 2), ...extra]));
}

function prefixMask(kept: number): Tensor {
  return tensorFromNumbers(
    "float32",
    [3],
    [0, 1, 2].map((j) => (j < kept ? 1 : 0)),
  );
}

describe.each(networks)("branches of %s", (_, make) => {
  it("all kept are the same model", () => {
    const model = make();
    expect(keepBranches(model, 3)).toBe(model);
  });

  it("cut are branches masked, and their parameters are gone", () => {
    const model = make();
    const masked = maskBranches(model);
    expect(verify(masked.model)).toEqual([]);
    for (const kept of [1, 2, 3]) {
      const cut = keepBranches(model, kept);
      expect(verify(cut)).toEqual([]);
      expect(distance(answers(cut), answers(masked.model, new Map([[masked.mask, prefixMask(kept)]])))).toBeLessThan(
        1e-6,
      );
      if (kept < 3) expect(cut.graph.initializers.size).toBeLessThan(model.graph.initializers.size);
    }
    expect(distance(answers(model), answers(keepBranches(model, 2)))).toBeGreaterThan(1e-4);
  });
});

describe("prefixes of branches", () => {
  it.each(names)("give what the cut network gives: %s", (combine) => {
    const model = paraFormer(random(3), { ...small, branches: 3, combine });
    const { model: wide, prefixes } = withPrefixOutputs(model);
    expect(verify(wide)).toEqual([]);
    const all = answers(wide);
    for (const [i, name] of [...prefixes, "logits"].entries()) {
      const cut = answers(keepBranches(model, i + 1));
      expect(distance(cut, new Map([["logits", all.get(name)!]]))).toBeLessThan(1e-6);
    }
  });

  it("need one group, before the output", () => {
    expect(() => withPrefixOutputs(paraResnet(random(1), { width: 4, size: 8 }))).toThrow(/one group/);
  });
});

/** [samples, features] of unit variance, without a pattern. */
function noise(samples: number, features: number): Map<string, Tensor> {
  const source = random(5);
  const numbers = Array.from({ length: samples * features }, () => source.normal());
  return new Map([["x", tensorFromNumbers("float32", [samples, features], numbers)]]);
}

describe.each(names)("combination %s", (combine) => {
  const features = 64;
  const build = (n: Layers, x: Value) =>
    residual(n, x, (inner) => linear(n, inner, features, { weight: normal(1 / Math.sqrt(features)), bias: false }));

  it("of one branch is the branch", () => {
    const built = network(random(1), (n) => {
      const x = n.input("x", "float32", ["batch", features]);
      n.output(branches(n, x, build, { branches: 1, combine }), "combined");
      n.output(build(n.scope("again"), x), "branch");
    });
    const [weight, again] = [...built.graph.initializers].filter(([{ name }]) => name.endsWith("weight"));
    const tied = withParameters(built, new Map([[again![0].name, weight![1] as Tensor]]));
    const { combined, branch } = Object.fromEntries(evaluate(tied, noise(3, features)));
    expect(distance(new Map([["y", branch!]]), new Map([["y", combined!]]))).toBeLessThan(1e-7);
  });

  it.each([2, 8])("of %i branches has the variance that it states", (count) => {
    const built = network(random(2), (n) => {
      const x = n.input("x", "float32", ["batch", features]);
      n.output(branches(n, x, build, { branches: count, combine }), "y");
    });
    const numbers = numbersOf(evaluate(built, noise(200, features)).get("y")!);
    const variance = Array.from(numbers).reduce((sum, y) => sum + y * y, 0) / numbers.length;
    const stated = { sum: count ** 2 + count, mean: 1 + 1 / count, residualSum: 1 + count, learnedScale: 2 }[combine];
    expect(variance / stated).toBeGreaterThan(0.9);
    expect(variance / stated).toBeLessThan(1.1);
  });
});

it("a sum and a mean are one function before a norm", () => {
  const [a, b] = (["sum", "mean"] as const).map((combine) =>
    paraFormer(random(3), { ...small, depth: 2, branches: 4, combine }),
  );
  expect(distance(answers(a!), answers(b!))).toBeLessThan(1e-3);
});

it("a branch that changes its dims has no difference to its input", () => {
  const build = (combine: CombinationName) => () =>
    network(random(1), (n) => {
      const x = n.input("x", "float32", ["batch", 4]);
      n.output(
        branches(n, x, (scope, y) => linear(scope, y, 3), { branches: 2, combine }),
        "y",
      );
    });
  for (const combine of ["residualSum", "learnedScale"] as const)
    expect(build(combine)).toThrow(/keep the dims.*branch 0/);
  for (const combine of ["sum", "mean"] as const) expect(verify(build(combine)())).toEqual([]);
});

/** A network with the values of another whose parameters have other names. */
function renamed(target: Model, source: Model, rename: (name: string) => string): Model {
  const values = [...source.graph.initializers].map(([{ name }, data]) => [rename(name), data as Tensor] as const);
  return withParameters(target, new Map(values));
}

describe("branches from a serial network", () => {
  const depth = 6;
  const serial = vit(random(4), { ...small, depth });
  const place = (branches: number) => (name: string) =>
    name.replace(/^block(\d+)/, (_, i) => `branch${i % branches}/block${Math.floor(i / branches)}`);

  it("are the network itself when there is one, also as a Para-Former", () => {
    expect(branchesFromSerial(serial, 1)).toBe(serial);
    const single = paraFormer(random(4), { ...small, depth, branches: 1 });
    expect(answers(single)).toEqual(answers(serial));
  });

  it.each([2, 3, 6])("take block k·n + j as the k-th of branch j of %i", (count) => {
    const parallel = branchesFromSerial(serial, count);
    expect(verify(parallel)).toEqual([]);
    const built = paraFormer(random(9), {
      ...small,
      depth: depth / count,
      branches: count,
      combine: "residualSum",
    });
    expect(distance(answers(renamed(built, serial, place(count))), answers(parallel))).toBeLessThan(1e-5);
    expect(new Set(parallel.graph.initializers.values())).toEqual(new Set(serial.graph.initializers.values()));
    expect(keepBranches(parallel, 1).graph.nodes.length).toBeLessThan(parallel.graph.nodes.length);
  });

  it("serve language models, and are refused where blocks cannot be dealt out", () => {
    const words = gpt(random(1), { vocabulary: 7, context: 5, width: 8, heads: 2, depth: 4 });
    expect(verify(branchesFromSerial(words, 4))).toEqual([]);
    expect(() => branchesFromSerial(serial, 4)).toThrow(/multiple of 4 blocks.*runs of 6/);
    expect(() => branchesFromSerial(vit(random(1), { ...small, depth: 1 }), 2)).toThrow(/no repeated residual blocks/);
  });
});

describe("training", () => {
  const model = paraFormer(random(1), { ...small, branches: 3 });
  const source = random(2);
  const samples = Array.from({ length: 16 }, (_, i) => ({
    inputs: new Map([["input", tensorFromNumbers("float32", [1, 8, 8], Array.from({ length: 64 }, source.normal))]]),
    label: i % 3,
    source: `${i}`,
  }));
  const data = datasetOf({ size: 16, open: () => ({ read: (i) => samples[i]! }) });
  const options = { data, epochs: 3, batch: 8, loss: "crossEntropy", optimizer: "sgd", learningRate: 0.1 } as const;

  function changed(after: Model): string[] {
    const before = new Map([...model.graph.initializers].map(([{ name }, data]) => [name, data as Tensor]));
    const differs = ([{ name }, data]: [Value, unknown]) =>
      distance(new Map([["w", before.get(name)!]]), new Map([["w", data as Tensor]])) > 0;
    return [...after.graph.initializers].filter(differs).map(([{ name }]) => name);
  }

  it("takes turns over prefixes, and then all branches together", () => {
    const drive = progressiveBranches(3, { together: 0.25 });
    const masks = Array.from({ length: 8 }, (_, update) =>
      Array.from(numbersOf(drive.train({ batch: update, update, updates: 8, seed: 0 }))).join(""),
    );
    expect(masks).toEqual(["100", "110", "111", "100", "110", "111", "111", "111"]);
    expect(() => progressiveBranches(3, { together: 2 })).toThrow(/0 to 1/);
  });

  it("leaves branches alone that the mask leaves out", async () => {
    const masked = maskBranches(model);
    const first = { train: () => prefixMask(1), evaluate: prefixMask(3) };
    const { model: trained } = await fit(masked.model, { ...options, drive: { [masked.mask]: first } }).result;
    const names = changed(masked.restore(trained));
    expect(names.some((name) => name.startsWith("branch0/"))).toBe(true);
    expect(names.filter((name) => /^branch[12]\//.test(name))).toEqual([]);
  });

  it("of all prefixes in one step reaches every branch", async () => {
    const prefixed = withPrefixOutputs(model);
    const { model: trained } = await fit(prefixed.model, { ...options, terms: prefixTerms(prefixed, "crossEntropy") })
      .result;
    const names = changed(prefixed.restore(trained)).join();
    for (const branch of [0, 1, 2]) expect(names).toContain(`branch${branch}/`);
  });
});

describe("models without branches", () => {
  it("are refused by name", () => {
    for (const edit of [(model: Model) => keepBranches(model, 1), maskBranches, withPrefixOutputs])
      expect(() => edit(vit(random(1), { ...small, depth: 2 }))).toThrow(/no network of so many branches/);
    const model = paraFormer(random(1), { ...small, branches: 2 });
    expect(() => keepBranches(model, 3)).toThrow(/1 to 2/);
  });
});
