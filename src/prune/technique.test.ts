import { expect, it } from "vitest";
import { timedSession } from "../../test/timed-session.ts";
import { random } from "../data/index.ts";
import { isSparse, type Model } from "../ir/index.ts";
import type { Comparison } from "../measure/index.ts";
import { mlp } from "../models/index.ts";
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
