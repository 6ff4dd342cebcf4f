import { describe, expect, it } from "vitest";
import { smallContext } from "../../test/small-context.ts";
import { openTaking } from "../../test/small-job.ts";
import { graphBuilder, type Model, model, numbersOf } from "../ir/index.ts";
import type { OpenSession } from "../runtime/index.ts";
import {
  type Candidate,
  carefulCandidates,
  float32Candidate,
  laterCandidates,
  quickCandidates,
  type StaticRecipe,
} from "./candidates.ts";

/** The recipe that a form's name speaks of. */
function recipeIn(form: string): StaticRecipe {
  const observer = (["min-max", "percentile", "mse", "moving average", "entropy"] as const).find((name) =>
    form.includes(name),
  )!;
  return {
    observer: observer === "moving average" ? "moving-average" : observer,
    ...(form.includes("second-order") && { rounding: "second-order" }),
    ...(form.includes("equalized") && { equalization: true }),
    ...(form.includes("bias-corrected") && { biasCorrection: true, sequential: false }),
  };
}

function largestInteger({ graph }: Model): number {
  const integers = [...graph.initializers.values()].filter((stored) => "data" in stored && stored.dtype === "int8");
  return Math.max(...integers.flatMap((stored) => ("data" in stored ? [...numbersOf(stored)].map(Math.abs) : [])));
}

/** Sessions whose nodes take these microseconds in floats and on integers. */
function openProfiled(times: Readonly<Record<string, readonly [number, number]>>): OpenSession & { count: number } {
  const counted = Object.assign(
    async (...[opened, options]: Parameters<OpenSession>) => {
      const session = await openTaking(() => 1)(opened, options);
      if (!options?.profile) return session;
      counted.count++;
      const isInteger = opened.graph.nodes.some(({ opType }) => opType === "QuantizeLinear");
      const profile = async () =>
        Object.entries(times).map(([name, both]) => ({
          ...{ name, opType: "MatMul", provider: "CPUExecutionProvider", calls: 1 },
          micros: both[Number(isInteger)]!,
        }));
      return { ...session, profile };
    },
    { count: 0 },
  );
  return counted;
}

const names = (candidates: readonly Candidate[]) => candidates.map(({ form }) => form);

describe("the forms that are tried", () => {
  const { context } = smallContext();
  const all = [...quickCandidates(context), ...carefulCandidates(context, true), ...laterCandidates(context)];

  it("have names of their own", () => {
    expect(new Set(names(all)).size).toBe(all.length);
  });

  it("are, where they are static, made as their names say", () => {
    const statics = all.filter((candidate) => candidate.static);
    expect(names(statics)).toEqual([
      "static int8, min-max",
      "static int8, percentile, bias-corrected",
      "static int8, mse, second-order",
      "static int8, percentile, second-order",
      "static int8, equalized, mse, second-order",
      "static int8, min-max, second-order",
      "static int8, moving average, second-order",
      "static int8, entropy, second-order",
    ]);
    for (const { form, family, quantizer, static: recipe } of statics) {
      expect([form, recipe]).toEqual([form, recipeIn(form)]);
      expect([family, quantizer]).toEqual(["static int8", "static"]);
    }
  });

  it("need no calibration where they come first", () => {
    const free = quickCandidates(context).filter((candidate) => !candidate.static);
    expect(free.map(({ form, family, quantizer }) => [form, family, quantizer])).toEqual([
      ["dynamic int8", "dynamic int8", "dynamic"],
      ["float16", "float16", "float16"],
      ["weight-only 8-bit", "weight-only 8-bit", "weight-only"],
      ["weight-only 4-bit", "weight-only 4-bit", "weight-only"],
    ]);
  });

  it("are int8 only where that pays, where int8 everywhere was no faster", () => {
    const partly = carefulCandidates(context, false);
    expect(names(partly)).toEqual([
      "static int8 where it pays, mse, second-order",
      "static int8 where it pays, percentile, second-order",
    ]);
    expect(names(carefulCandidates(context, true)).slice(0, 2)).toEqual([
      "static int8 where it pays, mse, second-order",
      "static int8, mse, second-order",
    ]);
  });

  it("are float32 as it is, which may only round", async () => {
    const made = float32Candidate(context.model);
    expect(made).toMatchObject({ form: "float32", rounds: true });
    expect(await made.build()).toBe(context.model);
  });
});

describe("a static form", () => {
  it.each([
    [7, 64],
    [8, 127],
  ] as const)("has weights of %i bits where that is asked for, up to %i", async (weightBits, largest) => {
    const { context } = smallContext({ weightBits });
    const [built] = await Promise.all(
      quickCandidates(context)
        .filter((one) => one.static)
        .map((one) => one.build()),
    );
    expect(largestInteger(built!)).toBe(largest);
  });

  it("tells how far it is: calibrating, gathering statistics, rounding", async () => {
    const { context, told } = smallContext();
    const form = "static int8, min-max, second-order";
    await laterCandidates(context)
      .find((candidate) => candidate.form === form)!
      .build();
    const details = new Map(told.map(([, done, total, detail]) => [detail, [done, total]]));
    expect(new Set(told.map(([stage]) => stage))).toEqual(new Set([form]));
    expect([...details]).toEqual([
      ["calibrating", [20, 0]],
      ["gathering statistics of 2 layers", [20, 0]],
      ["rounding second", [2, 2]],
    ]);
  });

  it("where it pays is found by measuring nodes once, and knows afterwards which stay in float", async () => {
    const open = openProfiled({ first: [100, 10], second: [10, 30] });
    const { context } = smallContext({ open });
    const [mse, percentile] = carefulCandidates(context, false);
    expect(mse!.static).toBeUndefined();
    const built = await mse!.build();
    expect(mse!.static).toEqual({ observer: "mse", rounding: "second-order", exclude: ["second"] });
    expect(built.graph.nodes.filter(({ opType }) => opType === "QuantizeLinear")).not.toEqual([]);
    const { count } = open;
    expect(count).toBeGreaterThan(0);
    await percentile!.build();
    expect(percentile!.static).toEqual({ observer: "percentile", rounding: "second-order", exclude: ["second"] });
    expect(open.count).toBe(count);
  });

  it("where it pays is no form of its own where that is everywhere", async () => {
    const open = openProfiled({ first: [100, 10], second: [100, 10] });
    const [first] = carefulCandidates(smallContext({ open }).context, false);
    await expect(first!.build()).rejects.toThrow(/int8 pays in every node/);
    expect(first!.static).toBeUndefined();
  });
});

it("a form in which nothing could be quantized is none, and says why", async () => {
  const g = graphBuilder();
  g.output(g.op("Relu", [g.input("x", "float32", ["batch", 4])]), "y");
  const { context } = smallContext({ model: model(g.build()) });
  const [dynamic] = quickCandidates(context);
  await expect(dynamic!.build()).rejects.toThrow(
    /no layer of the model can take the form dynamic; expected layers with constant weights; got none/,
  );
});
