/** @file Laws of sparsity in training: what is masked is exactly zero after every update, masks only grow, and resumed runs have the same bits. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { floatsOf, isSparse, type Model, numbersOf, type Tensor, tensor, typedArray } from "../../src/ir/index.ts";
import {
  courses,
  gradualSparsity,
  lotteryTicket,
  type Masks,
  masked,
  masksOf,
  rewound,
  type sparseTraining,
  sparsifyModel,
  withMasks,
} from "../../src/prune/index.ts";
import { openReference } from "../../src/runtime/reference.ts";
import {
  type Algorithm,
  type FitOptions,
  fit,
  type OptimizerName,
  optimizers,
  schedules,
  type TrainEvent,
} from "../../src/train/index.ts";
import { network, options } from "../moons.ts";

let root = "";
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "litheml-sparse-training-"));
});
afterAll(() => rm(root, { recursive: true }));

const newFolder = () => mkdtemp(join(root, "run-"));

function tensors({ graph }: Model): Map<string, Tensor> {
  return new Map([...graph.initializers].flatMap(([{ name }, data]) => (isSparse(data) ? [] : [[name, data]])));
}

const weights = (model: Model) =>
  Object.fromEntries([...tensors(model)].map(([name, data]) => [name, [...numbersOf(data)]]));
const zeroCount = (of: Tensor) => numbersOf(of).reduce((count, value) => count + (value === 0 ? 1 : 0), 0);

/** Looks at the state after every update. */
function watching(look: (state: ReadonlyMap<string, Tensor>, update: number) => void): Algorithm {
  return {
    name: "watching",
    start: () => ({ onUpdate: async (run) => look(await run.read(), run.updates) }),
  };
}

async function trained(algorithms: readonly Algorithm[], overrides: Partial<FitOptions> = {}, until = Infinity) {
  const controller = new AbortController();
  const run = fit(network(), {
    ...options(),
    epochs: 4,
    open: openReference,
    algorithms,
    signal: controller.signal,
    ...overrides,
  });
  const events: TrainEvent[] = [];
  for await (const event of run) {
    events.push(event);
    if (event.type === "checkpoint" && event.step === until) controller.abort();
  }
  return { events, result: await run.result.catch(() => undefined) };
}

const some: Masks = sparsifyModel(network(), { sparsity: 0.5, criterion: "random", seed: 4 }).masks;

const subjects: Readonly<Record<keyof typeof sparseTraining, () => Algorithm>> = {
  masked: () => masked(some),
  gradualSparsity: () => gradualSparsity({ to: 0.75, begin: 2, end: 8, every: 2 }),
  lotteryTicket: () => lotteryTicket({ rewindTo: 3, sparsity: 0.5 }),
};

describe.each(Object.entries(subjects))("%s", (_, make) => {
  it("resumes to the same bits", async () => {
    const whole = await trained([make()]);
    const checkpoint = { folder: await newFolder(), everySteps: 3 };
    for (const until of [3, 9])
      expect((await trained([make()], { checkpoint, resume: until > 3 }, until)).result).toBeUndefined();
    const rest = await trained([make()], { checkpoint, resume: true });
    expect(weights(rest.result!.model)).toEqual(weights(whole.result!.model));
  });

  it("gives the same bits for several steps in a call", async () => {
    const [one, more] = [await trained([make()]), await trained([make()], { stepsPerRun: 4 })];
    expect(weights(more.result!.model)).toEqual(weights(one.result!.model));
  });
});

describe.each(Object.keys(optimizers) as OptimizerName[])("under %s", (optimizer) => {
  it.each([
    ["plain", {}],
    ["accumulated, clipped and averaged", { accumulate: 2, clip: 0.5, average: 0.5 }],
  ] as const)("masked weights are exactly zero after every update, %s", async (_, more) => {
    const { accumulate: _a, clip: _c, average: _v, ...usual } = options();
    let looks = 0;
    const look = watching((state) => {
      looks++;
      for (const [name, mask] of some) {
        for (const part of [name, ...(state.has(`${name}:average`) ? [`${name}:average`] : [])]) {
          const values = floatsOf(state.get(part)!);
          for (const [i, kept] of typedArray(mask).entries()) {
            if (kept === 0) expect(Object.is(values[i], 0)).toBe(true);
            else expect(values[i]).not.toBe(0);
          }
        }
      }
    });
    const run = fit(network(), {
      ...usual,
      ...more,
      optimizer,
      learningRate: 0.01,
      epochs: 2,
      open: openReference,
      algorithms: [masked(some), look],
    });
    const { model } = await run.result;
    expect(looks).toBe("accumulate" in more ? 5 : 10);
    expect([...masksOf(model).keys()]).toEqual([...some.keys()]);
    for (const [name, data] of tensors(model))
      if (some.has(name)) expect(zeroCount(data)).toBe(zeroCount(some.get(name)!));
  });
});

describe("masked training", () => {
  it("counts no gradient where a mask is, so that clipping leaves the others alone", async () => {
    const norms = async (algorithms: readonly Algorithm[]) =>
      (await trained(algorithms, { epochs: 1, clip: 1e9, accumulate: 1 })).events.flatMap((event) =>
        event.type === "step" ? [event.gradientNorm!] : [],
      );
    const nothing = new Map(
      [...some].map(([name, { dims }]) => [name, tensor("bool", dims, new Uint8Array(32).fill(0))]),
    );
    const [all, none] = [await norms([]), await norms([masked(nothing)])];
    for (const [i, norm] of none.entries()) expect(norm).toBeLessThan(all[i]!);
  });

  it("is as training without it where the masks take nothing", async () => {
    const ones = new Map([...some].map(([name, { dims }]) => [name, tensor("bool", dims, new Uint8Array(32).fill(1))]));
    expect(weights((await trained([masked(ones)])).result!.model)).toEqual(weights((await trained([])).result!.model));
  });

  it("refuses masks that fit nothing", async () => {
    const wrong = (name: string, of: Tensor) =>
      fit(network(), { ...options(), masks: new Map([[name, of]]), open: openReference });
    await expect(wrong("w9", some.get("w1")!).result).rejects.toThrow(/a mask fits no initializer.*got "w9"/);
    await expect(wrong("w1", tensor("float32", [2, 16], new Float32Array(32))).result).rejects.toThrow(
      /expected bool\[2, 16\]; got float32\[2, 16\]/,
    );
  });
});

describe("gradual sparsity", () => {
  const plan = { from: 0.1, to: 0.8, begin: 2, end: 8, every: 3 } as const;

  it.each(Object.keys(courses) as (keyof typeof courses)[])("grows %s, and nothing comes back", async (course) => {
    const shares: number[] = [];
    let before: ReadonlyMap<string, Tensor> = new Map();
    const look = watching((state, update) => {
      const masks = new Map([...some.keys()].map((name) => [name, state.get(`${name}:mask`)!]));
      for (const [name, mask] of masks) {
        const kept = typedArray(mask);
        for (const [i, was] of typedArray(before.get(name) ?? mask).entries()) if (was === 0) expect(kept[i]).toBe(0);
        for (const [i, value] of floatsOf(state.get(name)!).entries())
          if (kept[i] === 0) expect(Object.is(value, 0)).toBe(true);
      }
      before = masks;
      shares[update] = zeroCount(masks.get("w1")!);
    });
    const { result, events } = await trained([gradualSparsity({ ...plan, course }), look]);
    const share = (time: number) => 0.1 + 0.7 * courses[course](time);
    const zeros = (of: number) => Math.floor(32 * of + 1e-9);
    const [begun, half, done] = [share(0), share(0.5), 0.8].map(zeros);
    expect(shares.slice(1)).toEqual([0, begun, begun, begun, half, half, half, done, done, done]);
    for (const name of some.keys()) expect(zeroCount(tensors(result!.model).get(name)!)).toBe(done);
    const told = events.flatMap((event) => (event.type === "measurement" ? [event.measurements[0]!.values[0]!] : []));
    expect(told).toEqual([begun!, half!, done!].map((count) => count / 32));
  });

  it("follows the formula", () => {
    expect([0, 0.25, 0.5, 1].map(courses.cubic)).toEqual([0, 1 - 0.75 ** 3, 0.875, 1]);
    expect([0, 0.5, 1].map(courses.iterative)).toEqual([0, 0.5, 1]);
    expect(courses["one-shot"]()).toBe(1);
  });

  it("is brought to its share by a run that ends before", async () => {
    const { result } = await trained([gradualSparsity({ to: 0.75, begin: 5, end: 1000 })]);
    for (const name of some.keys()) expect(zeroCount(tensors(result!.model).get(name)!)).toBe(24);
  });

  it("leaves out what is excluded and what is not trained", async () => {
    const { result } = await trained([gradualSparsity({ to: 0.5, end: 4 })], { freeze: ["w1"] });
    expect(zeroCount(tensors(result!.model).get("w1")!)).toBe(0);
    expect(zeroCount(tensors(result!.model).get("w2")!)).toBe(16);
    const none = fit(network(), {
      ...options(),
      freeze: ["w*"],
      open: openReference,
      algorithms: [gradualSparsity({ to: 0.5, end: 4 })],
    });
    await expect(none.result).rejects.toThrow(/no weight that is trained could be zeros/);
  });

  it("is refused where it makes no sense", () => {
    expect(() => gradualSparsity({ from: 0.5, to: 0.4, end: 9 })).toThrow(/from 0.5 to 0.4/);
    expect(() => gradualSparsity({ to: 0.4, begin: 9, end: 8 })).toThrow(/begin 9, end 8/);
    expect(() => gradualSparsity({ to: 0.4, end: 8, criterion: "wanda" })).toThrow(/wanda, which needs inputs/);
    expect(() => gradualSparsity({ to: 0.4, end: 8, granularity: "neighbours" })).toThrow(/a pattern says itself/);
  });
});

describe("a lottery ticket", () => {
  it("is the weights of the update under the mask of the end", async () => {
    let early: ReadonlyMap<string, Tensor> = new Map();
    const look = watching((state, update) => {
      if (update === 3) early = state;
    });
    const whole = await trained([look], { average: 0 });
    const { masks } = sparsifyModel(whole.result!.model, { sparsity: 0.5 });
    const ticket = await trained([lotteryTicket({ rewindTo: 3, sparsity: 0.5 })], { average: 0 });
    const found = tensors(ticket.result!.model);
    for (const [name, data] of found) {
      if (!early.has(name)) continue;
      const kept = masks.get(name) && typedArray(masks.get(name)!);
      const expected = [...floatsOf(early.get(name)!)].map((value, i) => (kept?.[i] === 0 ? 0 : value));
      expect([...floatsOf(data)]).toEqual(expected);
    }
    const again = await trained([masked(masksOf(ticket.result!.model))]);
    expect(zeroCount(tensors(again.result!.model).get("w1")!)).toBe(16);
  });

  it("may begin where the run began, and has to come to its update", async () => {
    const { result } = await trained([lotteryTicket({ rewindTo: 0, pattern: "1:2" })]);
    const masks = masksOf(result!.model);
    expect(weights(result!.model).w1).toEqual(weights(withMasks(network(), masks)).w1);
    const late = fit(network(), {
      ...options(),
      epochs: 1,
      open: openReference,
      algorithms: [lotteryTicket({ rewindTo: 9, sparsity: 0.5 })],
    });
    await expect(late.result).rejects.toThrow(/never came to the update.*expected update 9; got 2 updates/);
  });
});

describe("a rewound schedule", () => {
  it("is the end of the schedule, over a whole run", () => {
    const cosine = schedules.cosine();
    const again = rewound("cosine", 0.75);
    expect(again(0, 25)).toBeCloseTo(cosine(75, 100), 12);
    expect(again(10, 25)).toBeCloseTo(cosine(85, 100), 12);
    expect(again(25, 25)).toBeCloseTo(cosine(100, 100), 12);
    expect(rewound(cosine, 0)(3, 10)).toBe(cosine(3, 10));
    expect(() => rewound("cosine", 1)).toThrow(/from is out of range/);
  });
});
