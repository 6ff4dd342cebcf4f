import { expect, it } from "vitest";
import { timedSession } from "../../test/timed-session.ts";
import { datasetOf, random } from "../data/index.ts";
import { isSparse, type Model, tensorFromNumbers } from "../ir/index.ts";
import type { Comparison } from "../measure/index.ts";
import { mlp, resnet } from "../models/index.ts";
import { openReference } from "../runtime/reference.ts";
import type { TechniqueContext } from "../technique/index.ts";
import { pruneTechnique } from "./technique.ts";

const network = mlp(random(1), { input: [8], hidden: [64], classes: 4 });

const unitsOf = ({ graph }: Model): number =>
  [...graph.initializers].flatMap(([{ name }, data]) =>
    name === "hidden0/weight" && !isSparse(data) ? [data.dims[1]!] : [],
  )[0]!;

/** A machine whose kernels compute 16 units at once; what was decided once is kept. */
function target() {
  const kept = new Map<string, object>();
  const shown: object[] = [];
  const context = {
    session: { ep: "cpu", threads: 1 },
    seed: 1,
    signal: new AbortController().signal,
    open: async (model: Model) => timedSession(() => 16 * Math.ceil(unitsOf(model) / 16)),
    data: { timed: async () => ({ feeds: new Map(), count: 1 }) },
    kernelBlocks: async () => ({ convolution: 8, product: 16 }),
    async once(key: string, decide: () => Promise<object>) {
      if (!kept.has(key)) kept.set(key, JSON.parse(JSON.stringify(await decide())));
      return kept.get(key);
    },
    recover: async (model: Model) => ({ model }),
    progress: (event: object) => void shown.push(event),
  } as unknown as TechniqueContext;
  return { context, shown };
}

const usual = { criterion: "l2", ranking: "local", round: "auto", most: 0.9, factor: "outer" } as const;

it("prunes by what was measured, says how fast that is, and does not measure twice", async () => {
  const { context, shown } = target();
  const own = { ...usual, ratio: 0.3 };
  const evidence = await pruneTechnique.run(network, own, context);
  expect(unitsOf(evidence.model)).toBe(48);
  expect(evidence.sentence).toMatch(
    /^1 of 2 widths narrowed: 1\.33× fewer mul.*, 1\.33 times the speed \(1\.33 to 1\.33\)$/,
  );
  expect(evidence.facts).toMatchObject({
    round: { convolution: 8, product: 16 },
    trials: [{ narrowed: 1, macs: 0.75, verdict: "faster" }],
  });
  expect(shown).toEqual([{ stage: "time", done: 1, total: 0, detail: "1 widths" }]);
  const again = await pruneTechnique.run(network, own, context);
  expect([unitsOf(again.model), again.sentence, shown.length]).toEqual([48, evidence.sentence, 1]);
  const { parts, facts } = pruneTechnique.sections(again, own, {} as Comparison);
  expect(parts.map(({ title }) => title)).toEqual(["Widths", "Timed against the original"]);
  expect(parts[1]).toMatchObject({ rows: [{ isChosen: true }] });
  expect(facts).toContainEqual(["rounding", "multiples of 8 (convolutions) and 16 (products)"]);
});

it("reaches a share of the time, and a number of positions without timing where nobody asks", async () => {
  const half = await pruneTechnique.run(network, { ...usual, targetLatency: 0.51 }, target().context);
  expect(unitsOf(half.model)).toBe(32);
  const { context, shown } = target();
  const plain = await pruneTechnique.run(network, { ...usual, ratio: 0.3, round: 4, allowSlower: true }, context);
  expect([unitsOf(plain.model), shown]).toEqual([48, []]);
  const { parts } = pruneTechnique.sections(plain, { ...usual, ratio: 0.3 }, {} as Comparison);
  expect(parts.map(({ title }) => title)).toEqual(["Widths"]);
});

it("plans without measuring, by the usual multiples or finer ones", () => {
  const planned = (own: object) => pruneTechnique.plan(network, { ...usual, ...own });
  expect(planned({ ratio: 0.3 })).toMatchObject({
    sentence: expect.stringMatching(/by the usual multiples until .* are measured, unless it is slower/),
    facts: { widths: [{ before: 64, after: 48 }, { before: 4 }] },
  });
  expect(planned({ ratio: 0.1 }).facts).toMatchObject({ widths: [{ after: 60 }, {}] });
  expect(planned({ targetLatency: 0.5, round: 8 })).toMatchObject({
    sentence: expect.stringMatching(/at most: less until the time is measured to be reached, unless it is slower/),
    facts: { widths: [{ after: 8 }, {}] },
  });
  expect(planned({ ratio: 0.3, round: 8, allowSlower: true }).sentence).toMatch(/parameters$/);
  expect(() => planned({ ratio: 0.01 })).toThrow(/takes nothing away/);
  expect(() => planned({ ratio: 0.1, round: 8 })).toThrow(/multiple of 8/);
});

const residual = resnet(random(1), { depth: 14, width: 4, size: 8, classes: 3 });
const PICTURE = 3 * 8 * 8;
const picture = (i: number) => {
  const draws = random(9, i);
  return Array.from({ length: PICTURE }, () => draws.normal());
};

/** Evaluates in float64; what is asked to be timed is an error. */
function evaluating() {
  const said: string[] = [];
  const data = datasetOf({
    size: 8,
    open: () => ({
      read: (i) => ({ inputs: new Map([["input", tensorFromNumbers("float32", [3, 8, 8], picture(i))]]), source: "" }),
    }),
  });
  const context = {
    ...target().context,
    open: openReference,
    data: {
      timed: async () => ({ feeds: new Map(), count: 1 }),
      async *calibration() {
        yield new Map([["input", tensorFromNumbers("float32", [1, 3, 8, 8], picture(1))]]);
      },
      datasets: { training: data, calibration: data },
    },
    say: (line: string) => void said.push(line),
  } as TechniqueContext;
  return { context, said };
}

const variances = ({ graph }: Model): number[][] =>
  [...graph.initializers].flatMap(([{ name }, data]) =>
    name.endsWith("/variance") && !isSparse(data)
      ? [[...new Float32Array((data.data as Uint8Array).slice().buffer)]]
      : [],
  );

it("takes blocks out, by themselves or before widths, and measures statistics anew", async () => {
  const { context, said } = evaluating();
  const alone = await pruneTechnique.run(residual, { ...usual, dropBlocks: 1 }, context);
  expect(alone.sentence).toMatch(/^1 residual blocks gone; 1\.\d\d× fewer multiply-accumulates/);
  expect(alone.facts).toMatchObject({ dropped: [expect.any(String)], macs: { before: alone.report.macs.before } });
  expect(alone.decision).toBeUndefined();
  expect(alone.model.graph.nodes.length).toBeLessThan(residual.graph.nodes.length);
  expect(
    variances(alone.model)
      .flat()
      .every((value) => value !== 1),
  ).toBe(true);
  expect(said).toEqual([expect.stringMatching(/measured anew/)]);
  const { parts } = pruneTechnique.sections(alone, { ...usual, dropBlocks: 1 }, {} as Comparison);
  expect(parts.map(({ title }) => title)).toEqual(["Residual blocks"]);
  const own = { ...usual, dropBlocks: 1, ratio: 0.5, round: 1, allowSlower: true, keepStatistics: true };
  const both = await pruneTechnique.run(residual, own, evaluating().context);
  expect(both.report.macs.before).toBe(alone.report.macs.before);
  expect(both.report.macs.after).toBeLessThan(alone.report.macs.after);
  expect(
    variances(both.model)
      .flat()
      .every((value) => value === 1),
  ).toBe(true);
  expect(pruneTechnique.plan(residual, { ...usual, dropBlocks: 1 })).toMatchObject({
    sentence: "1 of 4 residual blocks go",
    facts: { blocks: 1 },
  });
  expect(() => pruneTechnique.plan(residual, { ...usual, dropBlocks: 5 })).toThrow(/4 at most/);
});

it("narrows by what answers bear, and shows the curves", async () => {
  const own = { ...usual, ranking: "sensitivity", ratio: 0.3, round: 1, allowSlower: true } as const;
  const evidence = await pruneTechnique.run(residual, own, evaluating().context);
  expect(evidence.curves).toHaveLength(evidence.report.widths.filter(({ held }) => held.length === 0).length);
  expect(evidence.report.macs.after).toBeLessThan(evidence.report.macs.before);
  const { parts } = pruneTechnique.sections(evidence, own, {} as Comparison);
  expect(parts.map(({ title }) => title)).toEqual([
    ...["Widths", "How much each width may lose", "Error of the answers when one width alone loses a share"],
  ]);
  expect(parts[1]).toMatchObject({
    series: [
      {
        points: [
          [0.25, expect.any(Number)],
          [0.5, expect.any(Number)],
        ],
      },
      {},
      {},
    ],
  });
});

it("never chooses by answers to made-up samples", () => {
  const check = (own: object) => () => pruneTechnique.check({ ...usual, ...own });
  expect(check({ dropBlocks: 1 })).toThrow(/--drop-blocks needs data/);
  expect(check({ ratio: 0.5, ranking: "sensitivity", data: "random" })).toThrow(
    /--ranking sensitivity needs data.*random/,
  );
  expect(check({ dropBlocks: 1, ranking: "sensitivity", data: "pictures" })).not.toThrow();
  expect(check({ data: "pictures" })).toThrow(/or --drop-blocks N/);
});
