/** @file Faults of what a program hands to the library: labels that are no classes, options that nobody reads. */
import { datasetOf } from "../../src/data/index.ts";
import { LitheError } from "../../src/errors.ts";
import { graphBuilder, type Model, model, tensor } from "../../src/ir/index.ts";
import { quantizeWeights } from "../../src/quantize/index.ts";
import { evaluateModel, fit, sgd } from "../../src/train/index.ts";
import type { Answer, Fault } from "./fault.ts";

/** logits = x · I over [batch, 2]. */
function identity(): Model {
  const g = graphBuilder();
  const weight = g.constant("weight", tensor("float32", [2, 2], [1, 0, 0, 1]));
  g.output(g.op("MatMul", [g.input("x", "float32", ["batch", 2]), weight]), "logits");
  return model(g.build());
}

/** Points of two classes; the sixth has this label. */
function labelled(label: unknown) {
  return datasetOf({
    size: 16,
    open: () => ({
      read: (i) => ({
        inputs: new Map([["x", tensor("float32", [2], [Math.sin(i), Math.cos(i)])]]),
        label: i === 5 ? (label as number) : i % 2,
        source: `points#${i}`,
      }),
    }),
  });
}

const training = { loss: "crossEntropy", epochs: 1, batch: 4, learningRate: 0.1 } as const;

async function refused(work: Promise<unknown>, words: RegExp): Promise<Answer> {
  const got = await work.then(
    () => "no error",
    (error: unknown) => (error instanceof LitheError ? `${error.name}: ${error.message}` : `unnamed: ${error}`),
  );
  return { got: got.slice(0, 160), ok: !/^(Internal|Runtime|unnamed)/.test(got) && words.test(got) };
}

const outOfRange = "RuntimeError: GatherElements op: Out of range value in index tensor, without the sample";

function labelRows(name: string, label: unknown, told: RegExp, before: readonly [string, string]): readonly Fault[] {
  const row = { kind: "Values where they enter", right: "a DataError with the sample" };
  const data = labelled(label);
  return [
    {
      ...row,
      name: `${name}: fit`,
      before: before[0],
      try: () => refused(fit(identity(), { ...training, data, optimizer: sgd() }).result, told),
    },
    {
      ...row,
      name: `${name}: evaluateModel`,
      before: before[1],
      try: () => refused(evaluateModel(identity(), { data, loss: "crossEntropy", metrics: ["accuracy"] }), told),
    },
  ];
}

const unknownOption = { kind: "Values where they enter", right: "a UsageError with those that there are" };

export const valueFaults: readonly Fault[] = [
  ...labelRows('a label "1", a text, among 0 and 1', "1", /^DataError: .*got "1"; at sample points#5/, [
    "trained as class 1",
    "counted as class 1",
  ]),
  ...labelRows('a label "2", a text, of two classes', "2", /^DataError: .*got "2"; at sample points#5/, [
    outOfRange,
    outOfRange,
  ]),
  ...labelRows("a label 7 of two classes", 7, /^DataError: .*from 0 to 1; got 7; at sample points#5/, [
    outOfRange,
    outOfRange,
  ]),
  {
    ...unknownOption,
    name: "quantizeWeights with `bit: 8`",
    before: "4 bits, without a word",
    try: () =>
      refused(quantizeWeights(identity(), { bit: 8 } as object), /^UsageError: unknown option; .*bits.*got "bit"/),
  },
  {
    ...unknownOption,
    name: "fit with `epoch: 3` beside `epochs`",
    before: "trained, without a word",
    try: () => {
      const options = { ...training, data: labelled(1), optimizer: sgd(), epoch: 3 };
      return refused((async () => fit(identity(), options).result)(), /^UsageError: unknown option; .*got "epoch"/);
    },
  },
  {
    ...unknownOption,
    name: "evaluateModel with `metric`",
    before: "the loss alone, without a word",
    try: () => {
      const options = { data: labelled(1), loss: "crossEntropy", metric: ["accuracy"] } as const;
      return refused(evaluateModel(identity(), options), /^UsageError: unknown option; .*got "metric"/);
    },
  },
];
