/** @file Early exit: every confidence is what it says, the export skips what it does not need, batches get what samples get alone. */
import { describe, expect, it } from "vitest";
import {
  addExits,
  type ConfidenceName,
  chooseThresholds,
  confidences,
  exitCosts,
  exitHead,
  exitTerms,
  exportEarlyExit,
  necksOf,
  openEarlyExit,
  outcomeOf,
  recordExits,
  withScores,
} from "../../src/conditional/index.ts";
import { random } from "../../src/data/index.ts";
import { BoundError, UnsupportedError, UsageError } from "../../src/errors.ts";
import {
  editModel,
  type Model,
  makeNode,
  numbersOf,
  type Tensor,
  tensorFromNumbers,
  verify,
} from "../../src/ir/index.ts";
import { vit } from "../../src/models/index.ts";
import { batchNorm, conv, linear, maxPool, network } from "../../src/nn/index.ts";
import { evaluate } from "../../src/reference/index.ts";
import { openSession } from "../../src/runtime/index.ts";
import { openReference } from "../../src/runtime/reference.ts";
import { sgd, trainingStep } from "../../src/train/index.ts";

const CLASSES = 4;

const base = network(random(1), (n) => {
  let y = n.input("input", "float32", ["batch", 1, 8, 8]);
  for (const [i, channels] of [4, 6, 6].entries()) {
    const stage = n.scope(`stage${i}`);
    y = n.op("Relu", [batchNorm(stage, conv(stage, y, channels, { kernel: 3, bias: false }))]);
    if (i < 2) y = maxPool(n, y, { kernel: 2 });
  }
  n.output(linear(n.scope("head"), n.op("Flatten", [y], { axis: 1 }), CLASSES), "logits");
});
const added = addExits(base, random(2), { at: 2 });

function pictures(count: number, seed = 7): Tensor {
  const source = random(seed);
  const values = Array.from({ length: count * 64 }, () => 2 * source.normal());
  return tensorFromNumbers("float32", [count, 1, 8, 8], values);
}

function rows(x: Tensor): Tensor[] {
  const [count = 0, ...rest] = x.dims;
  const values = numbersOf(x);
  const width = values.length / count;
  return Array.from({ length: count }, (_, i) =>
    tensorFromNumbers(x.dtype, [1, ...rest], values.slice(i * width, (i + 1) * width)),
  );
}

const list = (tensor: Tensor | undefined): number[] => Array.from(numbersOf(tensor!));
const feedsOf = (x: Tensor) => new Map([["input", x]]);
const names = Object.keys(confidences) as ConfidenceName[];

/** Between the middle scores of each exit over some pictures, so that about half of them leave; for counts, one exit that agrees. */
function middles(name: ConfidenceName, x: Tensor): number[] {
  if (name === "patience") return added.exits.map(() => 1);
  const scored = withScores(added.model, { ...added, confidence: name });
  const made = evaluate(scored.model, feedsOf(x));
  const half = Math.floor(x.dims[0]! / 2);
  return scored.scores.map((score) => {
    const sorted = list(made.get(score)).sort((a, b) => a - b);
    return (sorted[half - 1]! + sorted[half]!) / 2;
  });
}

describe("exits", () => {
  it("leave the network as it was, at places spread over its depth", () => {
    const x = pictures(3);
    expect(verify(added.model)).toEqual([]);
    expect(list(evaluate(added.model, feedsOf(x)).get("logits"))).toEqual(
      list(evaluate(base, feedsOf(x)).get("logits")),
    );
    const depths = necksOf(base).filter(({ value }) => added.at.includes(value.name));
    expect(depths).toHaveLength(2);
    expect(depths[0]!.depth).toBeLessThan(depths[1]!.depth);
  });

  it("train together with the network", () => {
    const step = trainingStep(added.model, {
      loss: "crossEntropy",
      output: "logits",
      terms: exitTerms(added, "crossEntropy", [1, 0.5]),
      optimizer: sgd(),
    });
    const parameters = step.state.filter(({ kind }) => kind === "parameter").map(({ name }) => name);
    expect(parameters.filter((name) => name.startsWith("exit"))).toHaveLength(4);
    expect(step.terms.map(({ name }) => name)).toEqual(added.exits);
  });

  it("fit a transformer too", () => {
    const model = vit(random(3), { size: 8, width: 8, depth: 3, heads: 2, channels: 1, classes: CLASSES });
    const { at, model: exited, exits } = addExits(model, random(4), { at: 2 });
    expect(at).toHaveLength(2);
    expect(evaluate(exited, feedsOf(pictures(2))).get(exits[0]!)!.dims).toEqual([2, CLASSES]);
  });
});

it("the head of an exit averages maps down to a grid at least as fine as asked for", () => {
  const featuresOf = (side: number, grid?: number) => {
    const built = network(random(1), (n) => {
      const x = n.input("x", "float32", ["batch", 3, side, side]);
      n.output(exitHead(grid === undefined ? {} : { grid })(n, x, 7), "y");
    });
    return [...built.graph.initializers].find(([{ name }]) => name.endsWith("weight"))![1].dims;
  };
  // Ten by ten in squares of two is five by five; four by four stays, and squares of five leave two by two.
  expect([featuresOf(10), featuresOf(4), featuresOf(10, 2)]).toEqual([
    [3 * 25, 7],
    [3 * 16, 7],
    [3 * 4, 7],
  ]);
});

describe.each(names)("confidence %s", (name) => {
  it("is a score per sample within its range, whatever else is in the batch", () => {
    const x = pictures(12);
    const measure = confidences[name]();
    const scored = withScores(added.model, { ...added, confidence: measure });
    const made = evaluate(scored.model, feedsOf(x));
    const alone = rows(x).map((row) => evaluate(scored.model, feedsOf(row)));
    scored.scores.forEach((score, k) => {
      const [least, most] = measure.range(k);
      const values = list(made.get(score));
      for (const value of values) expect(value).toBeGreaterThanOrEqual(least - 1e-6);
      for (const value of values) expect(value).toBeLessThanOrEqual(most + 1e-6);
      values.forEach((value, i) => void expect(list(alone[i]!.get(score))[0]).toBeCloseTo(value, 5));
    });
  });

  it("exports one model that equals the first sure exit, in float64 and on ONNX Runtime", async () => {
    const x = pictures(10);
    const thresholds = middles(name, x);
    const options = { ...added, confidence: name, thresholds };
    const exported = await exportEarlyExit(added.model, options);
    expect(verify(exported)).toEqual([]);
    await using session = await openSession(exported);
    await using batched = await openEarlyExit(added.model, options, openSession);
    await using reference = await openEarlyExit(added.model, options, openReference);
    const together = await batched.run(feedsOf(x));
    expect((await reference.run(feedsOf(x))).exits).toEqual(together.exits);
    const whole = evaluate(added.model, feedsOf(x));
    for (const [i, row] of rows(x).entries()) {
      const made = await session.run(feedsOf(row));
      const exact = evaluate(exported, feedsOf(row));
      const exit = list(made.get("exit"))[0]!;
      expect(list(exact.get("exit"))[0]).toBe(exit);
      expect(together.exits[i]).toBe(exit);
      const right = list(rows(whole.get(added.exits[exit] ?? "logits")!)[i]);
      for (const answer of [made.get("logits"), exact.get("logits"), rows(together.logits)[i]]) {
        list(answer).forEach((value, c) => void expect(value).toBeCloseTo(right[c]!, 4));
      }
    }
    if (name !== "patience") expect(new Set(together.exits).size).toBeGreaterThan(1);
  });

  it("never and always leave at extreme thresholds", async () => {
    const x = pictures(3);
    const measure = confidences[name]();
    const whole = evaluate(added.model, feedsOf(x));
    const ends = { never: added.exits.map((_, k) => measure.range(k)[1] + 1), always: added.exits.map(() => -1) };
    for (const [end, thresholds] of Object.entries(ends)) {
      const exported = await exportEarlyExit(added.model, { ...added, confidence: name, thresholds });
      const made = evaluate(exported, feedsOf(x));
      expect(list(made.get("logits"))).toEqual(list(whole.get(end === "never" ? "logits" : added.exits[0]!)));
      expect(list(made.get("exit"))).toEqual([end === "never" ? added.exits.length : 0]);
    }
  });
});

it("confidence is the largest probability, or what entropy leaves of 1 as a share of the largest", () => {
  const logits = tensorFromNumbers(
    "float32",
    [4, 4],
    [...[0, 0, 0, 0], ...[Math.log(5), 0, 0, 0], ...[3, 3, -1000, -1000], ...[1000, 0, 0, 0]],
  );
  const model = network(random(1), (n) => {
    const x = n.input("x", "float32", ["batch", 4]);
    // Only the last exit speaks.
    const before = n.op("Neg", [x]);
    for (const name of ["entropy", "max-probability"] as const)
      n.output(confidences[name]().build(n, [before, x]), name);
  });
  const made = evaluate(model, new Map([["x", logits]]));
  // (1, 1, 1, 1)/4; (5, 1, 1, 1)/8; (1, 1, 0, 0)/2; (1, 0, 0, 0). Entropies over ln 4.
  const uneven = -(5 / 8) * Math.log(5 / 8) - (3 / 8) * Math.log(1 / 8);
  const expected = { entropy: [0, 1 - uneven / Math.log(4), 0.5, 1], "max-probability": [0.25, 0.625, 0.5, 1] };
  for (const [name, values] of Object.entries(expected)) {
    list(made.get(name)).forEach((value, i) => void expect(value, `${name} ${i}`).toBeCloseTo(values[i]!, 6));
  }
});

it("patience counts the exits before that answer alike", () => {
  const model = network(random(1), (n) => {
    const logits = ["a", "b", "c"].map((name) => n.input(name, "float32", ["batch", 2]));
    logits.forEach((_, k) => void n.output(confidences.patience().build(n, logits.slice(0, k + 1)), `score${k}`));
  });
  const answers = { a: [0, 0, 0, 1], b: [0, 0, 1, 0], c: [0, 1, 1, 1] };
  const rowsOf = (list: readonly number[]) =>
    tensorFromNumbers(
      "float32",
      [4, 2],
      list.flatMap((c) => [1 - c, c]),
    );
  const made = evaluate(model, new Map(Object.entries(answers).map(([name, list]) => [name, rowsOf(list)])));
  expect(["score0", "score1", "score2"].map((name) => list(made.get(name)))).toEqual([
    [0, 0, 0, 0],
    [1, 1, 0, 0],
    [2, 0, 1, 0],
  ]);
});

describe("the export", () => {
  it("does not run what stands behind the exit that is taken, and keeps weights in the outer graph", async () => {
    const exported = await exportEarlyExit(added.model, { ...added, thresholds: [-1, -1] });
    const initializers = new Set([...exported.graph.initializers.keys()].map(({ name }) => name));
    for (const value of base.graph.initializers.keys()) {
      if (value.name.includes("weight")) expect(initializers).toContain(value.name);
    }
    const convolutions = async (model: Model): Promise<number> => {
      await using session = await openSession(model, { profile: true, optimization: "disabled" });
      await session.run(feedsOf(pictures(1)));
      return (await session.profile()).filter(({ opType }) => opType === "Conv").length;
    };
    expect(await convolutions(exported)).toBe(1);
    expect(await convolutions(await exportEarlyExit(added.model, { ...added, thresholds: [2, 2] }))).toBe(3);
  });

  it("leaves out exits that are never taken", async () => {
    const thresholds = [Number.POSITIVE_INFINITY, 0.5];
    const exported = await exportEarlyExit(added.model, { ...added, thresholds });
    const weights = [...exported.graph.initializers.keys()].map(({ name }) => name);
    expect(weights.some((name) => name.startsWith("exit0/"))).toBe(false);
    expect(weights.some((name) => name.startsWith("exit1/"))).toBe(true);
  });
});

describe("thresholds", () => {
  const draw = random(5);
  const count = 400;
  const sure = Array.from({ length: count }, () => draw.uniform());
  const records = {
    scores: [sure, sure.map((x) => Math.sqrt(x))],
    right: [0.5, 0.15, 0.02].map((floor) => sure.map((x) => x + 0.3 * draw.normal() > floor)),
  };
  const costs = [1, 3, 10];

  it("lead to what each sample's first sure exit answers and costs", () => {
    const four = {
      scores: [
        [0.9, 0.5, 0.2, 0.4],
        [0.9, 0.9, 0.7, 0.1],
      ],
      right: [
        [true, false, true, true],
        [false, true, false, true],
        [false, false, true, false],
      ],
    };
    // A score that is the threshold is enough: exits 0, 0, 1 and the whole network, of which the first alone is right.
    const { accuracy, cost, shares } = outcomeOf(four, [1, 3, 10], [0.5, 0.7]);
    expect([accuracy, cost, shares]).toEqual([0.25, (1 + 1 + 3 + 10) / 4, [0.5, 0.25, 0.25]]);
    // The cheapest that keeps three of four right: exit 0 for samples 0, 2 and 3 costs all but sample 1, which is never right alone.
    const best = chooseThresholds(four, { costs: [1, 3, 10], bound: { accuracy: 0.75 } });
    expect([best.accuracy, best.cost]).toEqual([0.75, 1]);
    // Sample 1 is right at exit 1 only, and has a higher score than 2 and 3 at exit 0.
    const dear = chooseThresholds(four, { costs: [1, 3, 10], bound: { cost: 2.5 } });
    expect(dear.accuracy).toBe(0.75);
    expect(dear.cost).toBeLessThanOrEqual(2.5);
  });

  it("are the cheapest of a grid that keep an accuracy, or better", () => {
    const bound = outcomeOf(records, costs, [2, 2]).accuracy - 0.02;
    const chosen = chooseThresholds(records, { costs, bound: { accuracy: bound } });
    expect(chosen.accuracy).toBeGreaterThanOrEqual(bound);
    const grid = Array.from({ length: 21 }, (_, i) => i / 20);
    const tried = grid.flatMap((a) => grid.map((b) => outcomeOf(records, costs, [a, b])));
    const best = Math.min(...tried.filter(({ accuracy }) => accuracy >= bound).map(({ cost }) => cost));
    expect(chosen.cost).toBeLessThanOrEqual(1.03 * best);
  });

  it("keep a mean cost, and rise with it in accuracy", () => {
    const outcomes = [2, 3, 5].map((cost) => chooseThresholds(records, { costs, bound: { cost } }));
    outcomes.forEach(({ cost }, i) => void expect(cost).toBeLessThanOrEqual([2, 3, 5][i]!));
    const accuracies = outcomes.map(({ accuracy }) => accuracy);
    expect(accuracies).toEqual([...accuracies].sort((a, b) => a - b));
  });

  it("come from records that equal the model's own answers", async () => {
    const x = pictures(20);
    const labels = Array.from({ length: 20 }, (_, i) => i % CLASSES);
    const own = await recordExits(added.model, [{ feeds: feedsOf(x), labels }], { ...added, open: openReference });
    const outcome = outcomeOf(own, exitCosts(added.model, added), [-1, -1]);
    const logits = rows(evaluate(added.model, feedsOf(x)).get(added.exits[0]!)!).map(list);
    const right = logits.filter((row, i) => row.indexOf(Math.max(...row)) === labels[i]).length;
    expect(outcome.accuracy).toBeCloseTo(right / 20, 12);
    expect(outcome.shares).toEqual([1, 0, 0]);
  });

  it("are refused where nothing keeps the bound", () => {
    expect(() => chooseThresholds(records, { costs, bound: { accuracy: 1 } })).toThrow(BoundError);
    expect(() => chooseThresholds(records, { costs, bound: { cost: 0.5 } })).toThrow(BoundError);
    expect(() => chooseThresholds(records, { costs: [1, 2], bound: { cost: 5 } })).toThrow(UsageError);
  });
});

describe("wrong use", () => {
  it("is named", async () => {
    expect(() => addExits(base, random(1), { at: 9 })).toThrow(UsageError);
    expect(() => addExits(base, random(1), { at: ["nowhere"] })).toThrow(UsageError);
    expect(() => exitTerms(added, "crossEntropy", [1])).toThrow(UsageError);
    await expect(exportEarlyExit(added.model, { ...added, thresholds: [1] })).rejects.toThrow(UsageError);
    await expect(exportEarlyExit(base, { exits: ["exit/0"], thresholds: [1] })).rejects.toThrow(UsageError);
    const softmax = editModel(base, (draft) => {
      const output = draft.value("probabilities", base.graph.outputs[0]!.type);
      draft.append(makeNode("Softmax", [base.graph.outputs[0]], [output]));
      draft.setOutputs([output]);
    });
    expect(() => addExits(softmax, random(1), { at: 1 })).toThrow(UnsupportedError);
  });
});
