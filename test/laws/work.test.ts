/** @file The work of a run: bounds that hold whatever the data are, and counts that agree with arithmetic by hand and with the exits taken. */
import { describe, expect, it } from "vitest";
import { addExits, exitCosts, exportEarlyExit } from "../../src/conditional/index.ts";
import { random } from "../../src/data/index.ts";
import {
  dataTypes,
  type Graph,
  type GraphBuilder,
  graphAttribute,
  graphBuilder,
  int64s,
  type Model,
  model,
  numbersOf,
  tensor,
  tensorFromNumbers,
  type Value,
  verify,
} from "../../src/ir/index.ts";
import { type MeasuredWork, measuredWork } from "../../src/job/model/measured-work.ts";
import { conv, linear, network } from "../../src/nn/index.ts";
import { countWork, workOf } from "../../src/ops/index.ts";
import { type Feeds, openSession } from "../../src/runtime/index.ts";
import { conditionalExports, feedsFor } from "../conditional-exports.ts";
import { loopFeeds, loopModel, noise } from "../models.ts";

/** Multiply-accumulates of one product of two 8 × 8 matrices. */
const PRODUCT = 8 ** 3;

function squares(g: GraphBuilder, x: Value, times: number): Value {
  let y = x;
  for (let i = 0; i < times; i++) y = g.op("MatMul", [y, x]);
  return times === 0 ? g.op("Identity", [x]) : y;
}

function branch(g: GraphBuilder, x: Value, times: number): Graph {
  const inner = g.subgraph();
  inner.output(squares(inner, x, times));
  return inner.build(`times ${times}`);
}

function choice(g: GraphBuilder, condition: Value, x: Value, [whenTrue, whenFalse]: readonly [number, number]): Value {
  return g.op("If", [condition], {
    then_branch: graphAttribute(branch(g, x, whenTrue)),
    else_branch: graphAttribute(branch(g, x, whenFalse)),
  });
}

/** One product, then three or one by the condition, which a constant may be. */
function branching(known?: boolean): Model {
  const g = graphBuilder();
  const x = g.input("x", "float32", [8, 8]);
  const condition =
    known === undefined ? g.input("c", "bool", []) : g.constant("c", tensorFromNumbers("bool", [], [Number(known)]));
  g.output(choice(g, condition, squares(g, x, 1), [3, 1]), "y");
  return model(g.build());
}

const square = tensor("float32", [8, 8], noise(64));

/** A product for each trip; `last` is the trip after which the body ends the loop. */
function looping({ trips, last }: { trips?: number; last?: number }): Model {
  const g = graphBuilder();
  const limit =
    trips === undefined ? g.input("trips", "int64", []) : g.constant("trips", tensorFromNumbers("int64", [], [trips]));
  const x = g.input("x", "float32", [8, 8]);
  const body = g.subgraph();
  const i = body.input("i", "int64", []);
  const go = body.input("go", "bool", []);
  const state = body.input("state", "float32", [8, 8]);
  const end =
    last === undefined ? go : body.op("Less", [i, body.constant("last", tensorFromNumbers("int64", [], [last]))]);
  const next = body.op("MatMul", [state, state]);
  body.output(body.op("Identity", [end]), "go_on");
  body.output(next, "next");
  g.output(g.op("Loop", [limit, undefined, x], { body: graphAttribute(body.build("body")) }), "y");
  return model(g.build());
}

/** A loop whose body has a product in its first two trips only. */
function branchInLoop(): Model {
  const g = graphBuilder();
  const trips = g.input("trips", "int64", []);
  const x = g.input("x", "float32", [8, 8]);
  const body = g.subgraph();
  const i = body.input("i", "int64", []);
  const go = body.input("go", "bool", []);
  const state = body.input("state", "float32", [8, 8]);
  const isEarly = body.op("Less", [i, body.constant("two", tensorFromNumbers("int64", [], [2]))]);
  const next = choice(body, isEarly, state, [1, 0]);
  body.output(go, "go_on");
  body.output(next, "next");
  g.output(g.op("Loop", [trips, undefined, x], { body: graphAttribute(body.build("body")) }), "y");
  return model(g.build());
}

/** A product of 8 multiply-accumulates with each row of a sequence. */
function scanning(length: number | string, axis = 0): Model {
  const g = graphBuilder();
  const rows = g.input("rows", "float32", [length, 1, 8]);
  const body = g.subgraph();
  const row = body.input("row", "float32", [1, 8]);
  body.output(body.op("MatMul", [row, body.constant("w", tensor("float32", [8, 1], noise(8)))]), "y");
  g.output(
    g.op("Scan", [rows], { body: graphAttribute(body.build("body")), num_scan_inputs: 1, scan_input_axes: [axis] }),
    "all",
  );
  return model(g.build());
}

/** The rows of x [6, 8] that are not chosen away, times a matrix [8, 4]; and the number of them as a product of its own. */
function chosenRows(): Model {
  const g = graphBuilder();
  const x = g.input("x", "float32", [6, 8]);
  const chosen = g.op("NonZero", [g.input("mask", "bool", [6])]);
  const rows = g.op("Gather", [x, g.op("Squeeze", [chosen, g.constant("first", int64s([0]))])], { axis: 0 });
  g.output(g.op("MatMul", [rows, g.constant("w", tensor("float32", [8, 4], noise(32)))]), "y");
  const ones = g.op("Cast", [chosen], { to: dataTypes.float32.code });
  g.output(g.op("MatMul", [ones, g.op("Transpose", [ones], { perm: [1, 0] })]), "dot");
  return model(g.build());
}

function range(built: Model) {
  const { least, most } = workOf(built);
  return [least, most];
}

async function measured(built: Model, ...runs: Feeds[]): Promise<MeasuredWork> {
  return measuredWork(
    built,
    (async function* () {
      for (const feeds of runs) yield { feeds, count: 1 };
    })(),
  );
}

function condition(value: boolean): Feeds {
  return new Map([
    ["x", square],
    ["c", tensorFromNumbers("bool", [], [Number(value)])],
  ]);
}

describe("the work of a branch", () => {
  it("is the lesser at the least, the greater at the most, and the one taken where it is measured", async () => {
    expect(range(branching())).toEqual([2 * PRODUCT, 4 * PRODUCT]);
    const runs = [true, false, false, false].map(condition);
    expect(await measured(branching(), ...runs)).toEqual({
      mean: 2.5 * PRODUCT,
      least: 2 * PRODUCT,
      most: 4 * PRODUCT,
      runs: 4,
      samples: 4,
      uncountedNodes: 0,
    });
  });

  it("is that of the one branch that a constant takes", async () => {
    expect(range(branching(true))).toEqual([4 * PRODUCT, 4 * PRODUCT]);
    expect(range(branching(false))).toEqual([2 * PRODUCT, 2 * PRODUCT]);
    expect((await measured(branching(false), new Map([["x", square]]))).mean).toBe(2 * PRODUCT);
  });
});

describe("the work of a loop", () => {
  it("is none at the least where the data give its trips, and without a bound, with that of one iteration", async () => {
    const { least, most, loops } = workOf(loopModel(8));
    expect([least, most]).toEqual([0, undefined]);
    expect(loops).toMatchObject([{ node: { opType: "Loop" }, least: PRODUCT, most: PRODUCT }]);
    const { mean, least: fewest, most: highest } = await measured(loopModel(8), loopFeeds(0, 8), loopFeeds(3, 8));
    expect([mean, fewest, highest]).toEqual([1.5 * PRODUCT, 0, 3 * PRODUCT]);
  });

  it("is its trips times its body where they are constant", async () => {
    expect(workOf(looping({ trips: 5 }))).toMatchObject({ least: 5 * PRODUCT, most: 5 * PRODUCT, loops: [] });
    expect((await measured(looping({ trips: 5 }), new Map([["x", square]]))).mean).toBe(5 * PRODUCT);
  });

  it("is one trip at the least where the body may end it", async () => {
    expect(range(looping({ trips: 5, last: 2 }))).toEqual([PRODUCT, 5 * PRODUCT]);
    expect(range(looping({ last: 2 }))).toEqual([0, undefined]);
    expect((await measured(looping({ trips: 5, last: 2 }), new Map([["x", square]]))).mean).toBe(3 * PRODUCT);
  });

  it("is counted through branches of its body", async () => {
    expect(workOf(branchInLoop()).loops).toMatchObject([{ least: 0, most: PRODUCT }]);
    expect((await measured(branchInLoop(), loopFeeds(1, 8), loopFeeds(5, 8))).mean).toBe(1.5 * PRODUCT);
  });

  it("is that of each element of a sequence", async () => {
    expect(range(scanning(7))).toEqual([56, 56]);
    expect(workOf(scanning("length"), { feeds: new Map([["rows", [9, 1, 8]]]) })).toMatchObject({
      least: 72,
      most: 72,
    });
    const rows = (length: number): Feeds => new Map([["rows", tensor("float32", [length, 1, 8], noise(8 * length))]]);
    expect((await measured(scanning("length"), rows(3), rows(5))).mean).toBe(32);
  });
});

it("a scan along an axis that is not there has no work, as its problem is told elsewhere", () => {
  expect(range(scanning(7, 5))).toEqual([0, 0]);
});

it("the work of a run is that of its dims", async () => {
  const g = graphBuilder();
  const w = g.constant("w", tensor("float32", [8, 4], noise(32)));
  g.output(g.op("MatMul", [g.input("rows", "float32", ["batch", 8]), w]), "y");
  const rows = (batch: number): Feeds => new Map([["rows", tensor("float32", [batch, 8], noise(8 * batch))]]);
  const { mean, least, most } = await measured(model(g.build()), rows(1), rows(3));
  expect([mean, least, most]).toEqual([64, 32, 96]);
});

describe("the work on what the data choose", () => {
  it("is none at the least and all at the most, and counted by the elements that came out", async () => {
    const { least, most, unbounded } = workOf(chosenRows());
    expect([least, most, unbounded]).toEqual([0, 6 * 8 * 4 + 6, []]);
    const mask = tensorFromNumbers("bool", [6], [1, 0, 0, 1, 1, 0]);
    const feeds: Feeds = new Map([
      ["mask", mask],
      ["x", tensor("float32", [6, 8], noise(48))],
    ]);
    expect(await measured(chosenRows(), feeds)).toMatchObject({ mean: 3 * 8 * 4, uncountedNodes: 1 });
  });

  it("is that of the rows that experts are given", async () => {
    const mixture = await conditionalExports["a mixture, dropless"]!();
    const around = 4 * 16 * (4 + 5);
    const row = 2 * 16 * 64;
    expect(range(mixture)).toEqual([around, around + 4 * (2 * 4) * row]);
    expect((await measured(mixture, feedsFor(mixture, 1))).mean).toBe(around + 2 * 4 * row);
  });

  it.each(Object.entries(conditionalExports))("stays in its range: %s", async (_, make) => {
    const built = await make();
    const [least, most] = range(built);
    expect(least).toBeLessThanOrEqual(most!);
    const { model: counting, each } = countWork(built);
    if (counting) expect(verify(counting)).toEqual([]);
    expect(counting === undefined).toBe(each.length === 0);
    const work = await measured(built, feedsFor(built, 1, 1), feedsFor(built, 1, 2));
    expect(work.least).toBeGreaterThanOrEqual(least!);
    expect(work.most).toBeLessThanOrEqual(most!);
    expect(work.uncountedNodes).toBe(0);
  });
});

it("the work of early exits is what the exits that were taken cost", async () => {
  const base = network(random(1), (n) => {
    let y = n.input("input", "float32", ["batch", 1, 8, 8]);
    for (const [i, channels] of [6, 8, 8].entries()) {
      y = n.op("Relu", [conv(n.scope(`stage${i}`), y, channels, { kernel: 3, stride: i === 0 ? 1 : 2 })]);
    }
    n.output(linear(n.scope("head"), n.op("Flatten", [y], { axis: 1 }), 4), "logits");
  });
  const added = addExits(base, random(2), { at: 2 });
  const exported = await exportEarlyExit(added.model, { ...added, thresholds: [0.3, 0.31] });
  const costs = exitCosts(added.model, added);
  expect(range(exported)).toEqual([costs[0], costs.at(-1)]);
  const runs = Array.from({ length: 12 }, (_, i) => feedsFor(exported, 1, i));
  await using session = await openSession(exported);
  const taken: number[] = [];
  for (const feeds of runs) taken.push(Number(numbersOf((await session.run(feeds)).get("exit")!)[0]));
  expect(new Set(taken).size).toBeGreaterThan(1);
  const { mean } = await measured(exported, ...runs);
  expect(mean).toBeCloseTo(taken.reduce((sum, exit) => sum + costs[exit]!, 0) / taken.length, 6);
});
