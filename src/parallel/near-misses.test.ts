/** @file What is almost repeated, almost isomorphic or almost closed is no branch and no block: it is left alone, or refused by name. */
import { describe, expect, it } from "vitest";
import { distance, feedsOf } from "../../test/branch-networks.ts";
import { floats } from "../../test/laws/pass-graphs.ts";
import { branchGroupsOf, fuseBranches } from "../branches/index.ts";
import { random } from "../data/index.ts";
import { UnsupportedError, UsageError } from "../errors.ts";
import {
  float,
  type GraphBuilder,
  graphBuilder,
  int64s,
  type Model,
  model,
  printModel,
  scalar,
  type Value,
  verify,
} from "../ir/index.ts";
import { gpt, lenet, mlp, resnet } from "../models/index.ts";
import { builderInference, inferShapes } from "../ops/index.ts";
import { evaluate } from "../reference/index.ts";
import { isomorphism } from "../rewrite/index.ts";
import { requireRuns } from "./block-runs.ts";
import { branchesFromSerial, surveyBlocks } from "./index.ts";
import { keepBranches } from "./keep-branches.ts";
import { maskBranches } from "./mask-branches.ts";
import { parallelize } from "./parallelize.ts";
import { fullPlan, windowsForDepth } from "./plan.ts";
import { withPrefixOutputs } from "./prefix-outputs.ts";

const WIDTH = 4;

/** How one part differs from the others. */
interface Part {
  readonly slope: number;
  readonly hidden: number;
  readonly activation: "LeakyRelu" | "Elu";
  /** Of an integer constant, by which the inner value is turned into rows. */
  readonly rows: readonly number[];
  /** A number of the formula. */
  readonly factor: number;
  /** The first weight, instead of one of its own. */
  readonly weight?: Value;
  /** Sees the value within the part. */
  readonly inner?: (g: GraphBuilder, value: Value) => void;
  /** What is read in the place of the input. */
  readonly reads?: (g: GraphBuilder, input: Value) => Value;
}

const usual: Part = { slope: 0.25, hidden: 6, activation: "LeakyRelu", rows: [-1, WIDTH], factor: 0.5 };

/** reshape(activation(x·V)·W) · factor, of the dims of x. */
function part(g: GraphBuilder, x: Value, seed: number, own: Part): Value {
  const { hidden, activation, slope, rows, factor, inner, reads } = own;
  const input = reads ? reads(g, x) : x;
  const v = own.weight ?? g.constant("v", floats([WIDTH, hidden], seed));
  const h = g.op(activation, [g.op("MatMul", [input, v])], { alpha: float(slope) });
  inner?.(g, h);
  const product = g.op("MatMul", [h, g.constant("w", floats([hidden, WIDTH], seed + 1))]);
  const shaped = g.op("Reshape", [product, g.constant("rows", int64s(rows))]);
  return g.op("Mul", [shaped, g.constant("factor", scalar("float32", factor))]);
}

type Changed = (first: { readonly weight: Value }) => Partial<Part>;

/** The ways in which the last part can miss. */
const misses: Record<string, Changed> = {
  "an attribute": () => ({ slope: 0.5 }),
  "an operator": () => ({ activation: "Elu" }),
  "a shape": () => ({ hidden: 7 }),
  "an integer constant": () => ({ rows: [0, WIDTH] }),
  "a reader of an inner value": () => ({ inner: (g, value) => g.output(g.op("Neg", [value]), "seen") }),
  "an inner value that is an output": () => ({ inner: (g, value) => g.output(value) }),
};

/** Parts of which the last one differs. */
function partsOf(
  g: GraphBuilder,
  count: number,
  changed: Changed,
  place: (j: number, own: Part, seed: number) => void,
) {
  const weight = g.constant("first", floats([WIDTH, usual.hidden], 50));
  for (let j = 0; j < count; j++) {
    const own = j === count - 1 ? { ...usual, ...changed({ weight }) } : usual;
    place(j, j === 0 ? { ...own, weight } : own, 10 * (j + 1));
  }
}

function built(make: (g: GraphBuilder, x: Value) => Value): Model {
  const g = graphBuilder({ infer: builderInference(21) });
  g.output(make(g, g.input("x", "float32", ["batch", WIDTH])), "y");
  return model(g.build());
}

/** Σ of parts over one input. */
function branched(count: number, changed: Changed): Model {
  return built((g, x) => {
    const ends: Value[] = [];
    partsOf(g, count, changed, (_, own, seed) => void ends.push(part(g, x, seed, own)));
    return g.op("Sum", ends);
  });
}

/** y ← y + part(y), one after another. */
function chained(count: number, changed: Changed, between?: (g: GraphBuilder, y: Value, j: number) => void): Model {
  return built((g, x) => {
    let y = x;
    partsOf(g, count, changed, (j, own, seed) => {
      between?.(g, y, j);
      y = g.op("Add", [y, part(g, y, seed, own)]);
    });
    return g.op("Neg", [y]);
  });
}

const unchanged: Changed = () => ({});

describe("branches", () => {
  it("are found where nothing misses, also where numbers of the formula differ", () => {
    for (const changed of [unchanged, (): Partial<Part> => ({ factor: 2 })]) {
      expect(branchGroupsOf(branched(2, changed).graph).map(({ outputs }) => outputs.length)).toEqual([2]);
    }
  });

  it.each(Object.entries(misses))("that differ in %s are none", async (_, changed) => {
    const near = branched(2, changed);
    const before = printModel(near);
    expect(verify(near)).toEqual([]);
    expect(branchGroupsOf(inferShapes(near).graph)).toEqual([]);
    expect((await fuseBranches().run(near)).model).toBe(near);
    for (const edit of [(given: Model) => keepBranches(given, 1), maskBranches, withPrefixOutputs]) {
      expect(() => edit(near)).toThrow(UnsupportedError);
      expect(() => edit(near)).toThrow(/isomorphic branches.*got no branches/);
    }
    expect(printModel(near)).toBe(before);
  });

  const lone = ["an attribute", "an operator", "a shape"];

  it.each(lone)("are those that agree, beside one that differs in %s", async (name) => {
    const near = branched(4, misses[name]!);
    const [group, ...others] = branchGroupsOf(inferShapes(near).graph);
    expect(others).toEqual([]);
    expect([group!.outputs.length, group!.combine.addends.length]).toEqual([3, 1]);
    const { model: fused } = await fuseBranches().run(near);
    const feeds = feedsOf(near, 3);
    expect(distance(evaluate(near, feeds), evaluate(fused, feeds))).toBeLessThan(1e-12);
  });

  it("of which some share a weight, or an integer constant tells one apart, are none", async () => {
    for (const changed of [({ weight }: { readonly weight: Value }) => ({ weight }), misses["an integer constant"]!]) {
      const near = branched(3, changed);
      expect(branchGroupsOf(inferShapes(near).graph)).toEqual([]);
      expect((await fuseBranches().run(near)).model).toBe(near);
    }
  });

  it("read one input, or inputs of one type", () => {
    const sliced: Changed = () => ({
      reads: (g, x) => g.op("Relu", [g.op("Concat", [x, x], { axis: 0 })]),
      rows: [-1, WIDTH],
    });
    expect(branchGroupsOf(inferShapes(branched(2, sliced)).graph)).toEqual([]);
  });

  it("do not read each other", () => {
    const near = built((g, x) => {
      const first = part(g, x, 1, usual);
      return g.op("Add", [first, part(g, first, 3, usual)]);
    });
    expect(branchGroupsOf(near.graph)).toEqual([]);
    const [sum] = near.graph.nodes.filter(({ opType }) => opType === "Add");
    const ends = sum!.inputs as readonly Value[];
    expect(isomorphism(near.graph, ends, ({ type }) => type)).toBeUndefined();
    expect(isomorphism(near.graph, [ends[0]!, ends[0]!], ({ type }) => type)).toBeUndefined();
  });

  it("are not a network with itself once more", () => {
    for (const serial of [lenet(random(1), { size: 16 }), mlp(random(1), { input: [4], classes: 2 })]) {
      expect(branchGroupsOf(serial.graph)).toEqual([]);
      expect(() => keepBranches(serial, 1)).toThrow(/got no branches/);
    }
  });

  it("are equally many in every group", () => {
    const uneven = built((g, x) => {
      const stage = (y: Value, seeds: readonly number[]) =>
        g.op(
          "Sum",
          seeds.map((seed) => part(g, y, seed, usual)),
        );
      return stage(g.op("Relu", [stage(x, [1, 3])]), [5, 7, 9]);
    });
    expect(() => keepBranches(uneven, 1)).toThrow(/groups of 2, 3 branches/);
  });
});

describe("blocks", () => {
  const lengths = (given: Model) => surveyBlocks(given).runs.map(({ blocks }) => blocks.length);
  const refusal = (given: Model) => () => requireRuns(surveyBlocks(given));

  it("are found where nothing misses, also where numbers of the formula differ", () => {
    expect(lengths(chained(3, unchanged))).toEqual([3]);
    expect(lengths(chained(3, () => ({ factor: 2 })))).toEqual([3]);
  });

  /** What is said of two blocks, and which of three are still a run. */
  const told: Record<string, RegExp> = {
    "an attribute": /2 residual additions without an equal neighbour.*"add" \(Add\) and at node "add_1".*an attribute/,
    "an operator": /2 residual additions without an equal neighbour: node "add" \(Add\), node "add_1" \(Add\)/,
    "a shape": /2 residual additions.*have the same operators, but differ in shape/,
    "an integer constant": /2 residual additions.*have the same operators, but differ in.*integer constant/,
    "a reader of an inner value": /1 residual addition without an equal neighbour: node "add" \(Add\)/,
    "an inner value that is an output": /1 residual addition without an equal neighbour: node "add" \(Add\)/,
  };

  it.each(Object.entries(misses))(
    "that differ in %s are none, and the refusal says what was found",
    (name, changed) => {
      const near = chained(2, changed);
      const before = printModel(near);
      expect(verify(near)).toEqual([]);
      expect(lengths(near)).toEqual([]);
      expect(refusal(near)).toThrow(UnsupportedError);
      expect(refusal(near)).toThrow(told[name]!);
      expect(() => branchesFromSerial(near, 2)).toThrow(told[name]!);
      expect(printModel(near)).toBe(before);
      expect(lengths(chained(4, changed))).toEqual([3]);
    },
  );

  it.each([
    ["read elsewhere", (g: GraphBuilder, y: Value) => g.output(g.op("Abs", [y]), "seen")],
    ["an output", (g: GraphBuilder, y: Value) => g.output(g.op("Identity", [y]), "seen")],
  ])("end where what they carry is %s", (_, between) => {
    const near = chained(5, unchanged, (g, y, j) => void (j === 2 && between(g, y)));
    expect(lengths(near)).toEqual([2, 3]);
    expect(() => branchesFromSerial(near, 2)).toThrow(UsageError);
    expect(() => branchesFromSerial(near, 2)).toThrow(/multiple of 2 blocks in a row.*runs of 2, 3 blocks/);
    expect(() => fullPlan(surveyBlocks(near), { branches: 2 })).toThrow(/cannot be divided.*runs of 2, 3 blocks/);
  });

  it("that the number of branches does not divide are refused before any work", async () => {
    const seven = chained(7, unchanged);
    for (const branches of [2, 3, 4, 8]) {
      expect(() => branchesFromSerial(seven, branches)).toThrow(/cannot be divided evenly.*got runs of 7 blocks/);
      expect(() => fullPlan(surveyBlocks(seven), { branches })).toThrow(/cannot be divided.*got runs of 7 blocks/);
      await expect(parallelize(seven, { branches }).result).rejects.toThrow(/got runs of 7 blocks/);
    }
    expect(() => windowsForDepth(surveyBlocks(seven).runs, { branches: 8 }, 1)).toThrow(/one of none.*got 1 of 7/);
    for (const branches of [0, -1, 1.5, Number.NaN]) {
      expect(() => branchesFromSerial(seven, branches)).toThrow(/branches must be a whole number/);
    }
  });

  it("need residual additions that repeat", () => {
    expect(refusal(mlp(random(1), { input: [4], classes: 2 }))).toThrow(/got no residual addition/);
    expect(refusal(gpt(random(1), { vocabulary: 5, context: 3, width: 4, heads: 1, depth: 1 }))).toThrow(
      /without an equal neighbour/,
    );
    const stages = resnet(random(1), { depth: 8, width: 4, size: 8, classes: 3 });
    expect(refusal(stages)).toThrow(/no repeated residual blocks/);
  });
});
