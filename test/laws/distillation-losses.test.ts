/** @file Every distillation loss: its value by hand, 0 for equal values, and its gradient against differences in float64. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { differentiateGraph } from "../../src/autodiff/index.ts";
import {
  attentionMaps,
  type DistillationLoss,
  type DistillationLossName,
  distillationLosses,
  features,
  relations,
  softTargets,
} from "../../src/distill/index.ts";
import { graphBuilder, model, numbersOf, sizeOf, tensorFromNumbers } from "../../src/ir/index.ts";
import { builderInference } from "../../src/ops/index.ts";
import { evaluate } from "../../src/reference/index.ts";
import { stepBuilder } from "../../src/train/step/step-builder.ts";
import { noise } from "../models.ts";

const pairs = [{ teacher: "t", student: "s" }];

interface Case {
  readonly loss: DistillationLoss;
  readonly teacher: readonly number[];
  readonly student: readonly number[];
  /** The formula over rows: one per sample, each of the values of that sample. */
  readonly expected: (t: Rows, s: Rows) => number;
}

/** What PyTorch gives, see make.py beside it. */
interface Published {
  readonly loss: DistillationLossName;
  readonly options: Readonly<Record<string, number>>;
  readonly teacherDims: readonly number[];
  readonly teacher: readonly number[];
  readonly studentDims: readonly number[];
  readonly student: readonly number[];
  readonly labels?: readonly number[];
  readonly value: number;
  readonly gradient: readonly number[];
}

const published = JSON.parse(
  readFileSync(new URL("../fixtures/distillation/torch.json", import.meta.url), "utf8"),
) as readonly Published[];

function lossOf({ loss, options }: Published): DistillationLoss {
  const make = distillationLosses[loss] as (settings: object) => DistillationLoss;
  return make(withPairs.has(loss) ? { ...options, pairs } : options);
}

const withPairs: ReadonlySet<DistillationLossName> = new Set(["hints", "attentionScores", "distances", "angles"]);

type Rows = readonly (readonly number[])[];

const cases: Partial<Record<DistillationLossName, readonly Case[]>> = {
  softTargets: [1, 4].map((temperature) => ({
    loss: softTargets({ temperature }),
    teacher: [3, 5],
    student: [3, 5],
    expected: (t, s) => temperature ** 2 * mean(t.map((row, i) => divergence(row, s[i]!, temperature))),
  })),
  features: [
    {
      loss: features({ pairs }),
      teacher: [3, 4, 2],
      student: [3, 4, 2],
      expected: (t, s) => {
        const [flatT, flatS] = [t.flat(), s.flat()];
        return mean(flatT.map((x, i) => (x - flatS[i]!) ** 2)) / mean(flatT.map((x) => x * x));
      },
    },
  ],
  attentionMaps: [
    {
      loss: attentionMaps({ pairs }),
      teacher: [2, 3, 2, 2],
      student: [2, 5, 2, 2],
      expected: (t, s) => mean(t.map((row, i) => squares(unit(energy(row, 4, 1)), unit(energy(s[i]!, 4, 1))))),
    },
    {
      loss: attentionMaps({ pairs }),
      teacher: [2, 4, 3],
      student: [2, 4, 5],
      expected: (t, s) => mean(t.map((row, i) => squares(unit(energy(row, 1, 3)), unit(energy(s[i]!, 1, 5))))),
    },
  ],
  relations: [
    {
      loss: relations({ pairs }),
      teacher: [4, 6],
      student: [4, 2, 3],
      expected: (t, s) => mean(t.flatMap((a, i) => t.map((b, j) => (cosine(a, b) - cosine(s[i]!, s[j]!)) ** 2))),
    },
  ],
};

function mean(values: readonly number[]): number {
  return values.reduce((sum, x) => sum + x, 0) / values.length;
}

function softmax(row: readonly number[], temperature: number): number[] {
  const powers = row.map((x) => Math.exp(x / temperature));
  const total = powers.reduce((sum, x) => sum + x, 0);
  return powers.map((x) => x / total);
}

function divergence(t: readonly number[], s: readonly number[], temperature: number): number {
  const [p, q] = [softmax(t, temperature), softmax(s, temperature)];
  return p.reduce((sum, x, i) => sum + x * Math.log(x / q[i]!), 0);
}

/** Σ_c x² per position, where channels lie `stride` apart and positions `step`. */
function energy(row: readonly number[], positions: number, channels: number): number[] {
  if (channels === 1) return sumsOver(row, positions);
  return Array.from({ length: row.length / channels }, (_, i) =>
    row.slice(i * channels, (i + 1) * channels).reduce((sum, x) => sum + x * x, 0),
  );
}

function sumsOver(row: readonly number[], positions: number): number[] {
  return Array.from({ length: positions }, (_, i) =>
    row.reduce((sum, x, at) => sum + (at % positions === i ? x * x : 0), 0),
  );
}

function unit(row: readonly number[]): number[] {
  const length = Math.hypot(...row);
  return row.map((x) => x / length);
}

function squares(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, x, i) => sum + (x - b[i]!) ** 2, 0);
}

function cosine(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, x, i) => sum + x * b[i]!, 0) / (Math.hypot(...a) * Math.hypot(...b));
}

function rows(values: ArrayLike<number>, count: number): Rows {
  const width = values.length / count;
  return Array.from({ length: count }, (_, i) => Array.from(values).slice(i * width, (i + 1) * width));
}

/** Value and gradient for the student, in float64. */
function built({ loss, teacher, student }: Pick<Case, "loss" | "teacher" | "student">, labels: readonly number[] = []) {
  const g = graphBuilder({ infer: builderInference(21) });
  const t = g.input("t", "float64", teacher);
  const s = g.input("s", "float64", student);
  const classes = g.constant("labels", tensorFromNumbers("int64", [labels.length], labels));
  const value = loss.build(stepBuilder(g), t, s, { labels: () => classes });
  g.output(value);
  const { graph, gradients } = differentiateGraph(g.build(), { of: value, wrt: [s], opset: 21 });
  const gradient = gradients.get(s)!;
  const whole = model({ ...graph, outputs: [value, gradient] });
  return (x: ArrayLike<number>, y: ArrayLike<number>) => {
    const feeds = new Map([
      ["t", tensorFromNumbers("float64", teacher, x)],
      ["s", tensorFromNumbers("float64", student, y)],
    ]);
    const results = evaluate(whole, feeds);
    return { value: numbersOf(results.get(value.name)!)[0]!, gradient: numbersOf(results.get(gradient.name)!) };
  };
}

const listed = Object.entries(cases).flatMap(([name, found]) =>
  found.map((item, i) => ({ name: `${name} ${i}`, ...item })),
);

describe("distillation losses", () => {
  it("are all here, but for the one with a memory, which has laws of its own", () => {
    const known = new Set([...Object.keys(cases), ...published.map(({ loss }) => loss), "contrasts"]);
    expect([...known].sort()).toEqual(Object.keys(distillationLosses).sort());
  });

  it.each(published)("$loss is what PyTorch gives", (item) => {
    const at = built({ loss: lossOf(item), teacher: item.teacherDims, student: item.studentDims }, item.labels);
    const { value, gradient } = at(item.teacher, item.student);
    expect(value).toBeCloseTo(item.value, 6);
    expect(gradient.length).toBe(item.gradient.length);
    for (const [i, each] of gradient.entries()) expect(each).toBeCloseTo(item.gradient[i]!, 6);
    if (item.teacherDims.join() !== item.studentDims.join()) return;
    expect(at(item.teacher, item.teacher).value).toBeCloseTo(0, 6);
  });

  it.each(listed)("$name is its formula", (item) => {
    const [t, s] = [noise(sizeOf(item.teacher), 3), noise(sizeOf(item.student), 4)];
    const { value } = built(item)(t, s);
    expect(value).toBeGreaterThan(0);
    expect(value).toBeCloseTo(item.expected(rows(t, item.teacher[0]!), rows(s, item.student[0]!)), 9);
  });

  it.each(listed)("$name is 0 for equal values", (item) => {
    const same = { ...item, student: item.teacher };
    const t = noise(sizeOf(item.teacher), 3);
    expect(built(same)(t, t).value).toBeCloseTo(0, 12);
  });

  it.each(listed)("$name: gradient against differences", (item) => {
    const at = built(item);
    const [t, s] = [noise(sizeOf(item.teacher), 3), noise(sizeOf(item.student), 4)];
    const direction = Array.from(s, (_, i) => Math.sin(3 * i + 1));
    const along = direction.reduce((sum, d, i) => sum + d * at(t, s).gradient[i]!, 0);
    const moved = (step: number) =>
      at(
        t,
        Float64Array.from(s, (x, i) => x + step * direction[i]!),
      ).value;
    expect((moved(1e-6) - moved(-1e-6)) / 2e-6).toBeCloseTo(along, 7);
  });

  it("refuse settings that do not fit", () => {
    expect(() => softTargets({ temperature: 0 })).toThrow(/temperature is out of range/);
    expect(() => features({ pairs: [] })).toThrow(/no pairs/);
    expect(() => relations({ pairs, weight: -1 })).toThrow(/weight .* out of range/);
  });
});
