/** @file Early exit: every confidence is what it says, the export skips what it does not need, batches get what samples get alone. */
import { describe, expect, it } from "vitest";
import {
  addExits,
  type ConfidenceName,
  chooseThresholds,
  confidences,
  exitCosts,
  exitHead,
  exitSegments,
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
import { batchNorm, conv, linear, maxPool, network, normal } from "../../src/nn/index.ts";
import { evaluate } from "../../src/reference/index.ts";
import { type OpenSession, openSession } from "../../src/runtime/index.ts";
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

  it("stand at equal distances behind the last value of each layer", () => {
    const ends: string[] = [];
    const chain = network(random(1), (n) => {
      let y = n.input("input", "float32", ["batch", 8]);
      for (let layer = 0; layer < 6; layer++) {
        y = n.op("Relu", [linear(n.scope(`layer${layer}`), y, 8)]);
        ends.push(y.name);
      }
      n.output(linear(n.scope("head"), y, CLASSES), "logits");
    });
    // Six layers leave seven gaps: exit i of k stands i · 7 / (k + 1) layers deep, to the nearest one.
    const places = { 1: [3], 2: [1, 4], 3: [1, 3, 4], 5: [0, 1, 3, 4, 5], 6: [0, 1, 2, 3, 4, 5] };
    for (const [count, layers] of Object.entries(places)) {
      expect(addExits(chain, random(2), { at: Number(count) }).at).toEqual(layers.map((layer) => ends[layer]));
    }
    expect(() => addExits(chain, random(2), { at: 7 })).toThrow(/1 to 6/);
    expect(() => addExits(chain, random(2), { at: 0 })).toThrow(/1 to 6/);
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

it("the head of an exit has a hidden layer with ReLU where one is asked for", () => {
  const weights = [
    [1, -1, 2, 0, 3, -3],
    [1, 1, -2],
  ];
  const built = (hidden?: number) =>
    network(random(1), (n) => {
      const x = n.input("x", "float32", ["batch", 2]);
      n.output(exitHead(hidden === undefined ? {} : { hidden })(n, x, 1), "y");
    });
  const dimsOf = (model: Model) =>
    [...model.graph.initializers].filter(([{ name }]) => name.endsWith("weight")).map(([, data]) => data.dims);
  expect([dimsOf(built()), dimsOf(built(3))]).toEqual([
    [[2, 1]],
    [
      [2, 3],
      [3, 1],
    ],
  ]);
  const plain = built(3);
  const given = editModel(plain, (draft) => {
    for (const [value, { dims }] of plain.graph.initializers) {
      const numbers = value.name.endsWith("weight") ? weights[dims[0]! - 2]! : new Array<number>(dims[0]!).fill(0);
      draft.setInitializer(value, tensorFromNumbers("float32", dims, numbers));
    }
  });
  const x = tensorFromNumbers("float32", [2, 2], [1, 1, -1, 2]);
  // (1, 1) → (1, 2, −1) → 1 + 2; (−1, 2) → (−1, 7, −8) → 7.
  expect(list(evaluate(given, new Map([["x", x]])).get("y"))).toEqual([3, 7]);
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

describe("runs over batches", () => {
  it("compute in every segment what is made of constants alone and read there", async () => {
    const model = network(random(3), (n) => {
      const x = n.input("input", "float32", ["batch", 6]);
      const turned = n.op("Transpose", [n.parameter("weight", [6, 6], normal(0.5))], { perm: [1, 0] });
      const once = n.op("Tanh", [n.op("MatMul", [x, turned])]);
      n.output(linear(n.scope("exit"), once, 3), "exit/0");
      n.output(linear(n.scope("last"), n.op("Tanh", [n.op("MatMul", [once, turned])]), 3), "logits");
    });
    const exits = { exits: ["exit/0"] };
    const made = exitSegments(model, exits).map((segment) => segment.model.graph);
    expect(made.map(({ inputs }) => inputs.length)).toEqual([1, 1]);
    for (const { nodes } of made) expect(nodes.filter(({ opType }) => opType === "Transpose")).toHaveLength(1);
    const x = tensorFromNumbers("float32", [9, 6], list(pictures(1)).slice(0, 54));
    const whole = evaluate(model, feedsOf(x));
    const sorted = list(evaluate(withScores(model, exits).model, feedsOf(x)).get("score/0")).sort((a, b) => a - b);
    await using session = await openEarlyExit(model, { ...exits, thresholds: [sorted[4]!] }, openReference);
    const { logits, exits: taken } = await session.run(feedsOf(x));
    expect(taken.filter((exit) => exit === 0)).toHaveLength(5);
    for (const [i, exit] of taken.entries()) {
      const right = rows(whole.get(exit === 0 ? "exit/0" : "logits")!)[i];
      list(rows(logits)[i]).forEach((value, c) => void expect(value).toBeCloseTo(list(right)[c]!, 6));
    }
  });

  it("release the sessions of all segments, also those before one that cannot be opened", async () => {
    const events: string[] = [];
    const counting =
      (fails: number): OpenSession =>
      async (model) => {
        const number = events.length;
        if (number === fails) throw new Error("no more sessions");
        events.push(`open ${number}`);
        const session = await openReference(model);
        return { ...session, release: async () => void events.push(`release ${number}`) };
      };
    const options = { ...added, thresholds: [0.5, 0.5] };
    const session = await openEarlyExit(added.model, options, counting(9));
    await session.release();
    expect(events.splice(0)).toEqual(["open 0", "open 1", "open 2", "release 0", "release 1", "release 2"]);
    await expect(openEarlyExit(added.model, options, counting(2))).rejects.toThrow("no more sessions");
    expect(events).toEqual(["open 0", "open 1", "release 0", "release 1"]);
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

  it.each([16, 12, 7])("of one exit are the best of all that there are, for %i samples", (samples) => {
    for (let seed = 1; seed <= 60; seed++) {
      const source = random(seed, samples);
      // Steps of an eighth, so that scores may be equal.
      const scores = Array.from({ length: samples }, () => source.below(8) / 8);
      const own = scores.map((score) => source.uniform() < 0.3 + score / 2);
      const given = { scores: [scores], right: [own, scores.map(() => source.uniform() < 0.7)] };
      const all = [...scores, Number.POSITIVE_INFINITY].map((threshold) => outcomeOf(given, [1, 4], [threshold]));
      for (const { accuracy, cost } of all) {
        const kept = all.filter((other) => other.accuracy >= accuracy);
        const cheapest = Math.min(...kept.map((other) => other.cost));
        const best = Math.max(...kept.filter((other) => other.cost === cheapest).map((other) => other.accuracy));
        const chosen = chooseThresholds(given, { costs: [1, 4], bound: { accuracy } });
        expect([chosen.cost, chosen.accuracy], `seed ${seed}, accuracy ${accuracy}`).toEqual([cheapest, best]);
        const paid = all.filter((other) => other.cost <= cost);
        const most = Math.max(...paid.map((other) => other.accuracy));
        const least = Math.min(...paid.filter((other) => other.accuracy === most).map((other) => other.cost));
        const bought = chooseThresholds(given, { costs: [1, 4], bound: { cost } });
        expect([bought.accuracy, bought.cost], `seed ${seed}, cost ${cost}`).toEqual([most, least]);
      }
    }
  });

  it("are those of the cheaper among equally good ones, whatever may be spent", () => {
    const alike = [true, true, false, true];
    const given = { scores: [[0.9, 0.8, 0.7, 0.6]], right: [alike, alike] };
    for (const bound of [{ cost: 10 }, { accuracy: 0.5 }, { accuracy: 0.75 }]) {
      const { accuracy, cost, shares } = chooseThresholds(given, { costs: [1, 10], bound });
      expect([accuracy, cost, shares]).toEqual([0.75, 1, [1, 0]]);
    }
  });

  it("are none for a network without exits, and can be chosen on a single sample", () => {
    const bare = { scores: [], right: [[true, false]] };
    const bound = { accuracy: 0.5 };
    expect(chooseThresholds(bare, { costs: [3], bound })).toEqual({
      thresholds: [],
      accuracy: 0.5,
      cost: 3,
      shares: [1],
    });
    const single = { scores: [[0.25]], right: [[true], [true]] };
    expect(chooseThresholds(single, { costs: [1, 2], bound })).toMatchObject({ accuracy: 1, cost: 1 });
  });

  it("are refused for records of nothing and such as do not fit each other", () => {
    const bound = { accuracy: 0.5 };
    const choose = (scores: number[][], right: boolean[][], count: number) => () =>
      chooseThresholds({ scores, right }, { costs: Array.from({ length: count }, (_, k) => k + 1), bound });
    expect(choose([], [], 0)).toThrow(UsageError);
    expect(choose([[]], [[], []], 2)).toThrow(/do not fit each other/);
    expect(choose([[0.5]], [[true], [true, false]], 2)).toThrow(/do not fit each other/);
    expect(choose([], [[true], [true]], 2)).toThrow(/do not fit each other/);
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
