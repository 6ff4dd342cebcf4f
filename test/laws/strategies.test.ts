/** @file Laws of every strategy of a search: what it may evaluate, when it ends, and that an interrupted one ends as if it had not been. */
import { describe, expect, it } from "vitest";
import { CancelledError } from "../../src/errors.ts";
import {
  choices,
  eachAloneThenTogether,
  evolution,
  exhaustive,
  halvingRungs,
  memoryStore,
  proposals,
  randomSearch,
  type SearchBudget,
  type SearchResult,
  type SearchStore,
  type Strategy,
  type StrategyName,
  search,
  strategies,
  successiveHalving,
} from "../../src/search/index.ts";

type Net = readonly number[];

/** Widths at four places, of which those of more than 20 in all are too large. */
const space = choices<number>({
  places: [
    [1, 2, 4, 8],
    [1, 2, 4, 8],
    [1, 3, 9],
    [2, 4],
  ],
  mutation: 0.3,
  isAllowed: (net) => sum(net) <= 20,
});
const halving = { least: 1, most: 9 };

const made: Readonly<Record<StrategyName, () => Strategy<Net, number>>> = {
  exhaustive,
  random: () => randomSearch({ candidates: 25 }),
  evolution: () => evolution({ population: 12, parents: 4, mutations: 5, crossovers: 5, generations: 4 }),
  "successive-halving": () => successiveHalving(halving),
  "each-alone-then-together": eachAloneThenTogether,
  proposals: () => proposals((trials) => proposed(trials)),
};

/** The last one with wider places; one of them is too wide. */
function* proposed(trials: readonly { readonly candidate: Net }[]): Generator<Net> {
  yield [1, 1, 1, 2];
  for (const width of [2, 4, 8]) yield trials.at(-1)!.candidate.map((each, i) => (i < 2 ? width : each));
  yield [8, 8, 3, 2];
  for (const width of [1, 2]) yield trials.at(-1)!.candidate.map((each, i) => (i === 0 ? width : each));
}

function sum(net: Net): number {
  return net.reduce((total, width) => total + width, 0);
}

/** Larger for wider places, the later ones more; noisy where the fidelity is small. */
function worth(net: Net, fidelity = 9): number {
  return net.reduce((total, width, i) => total + Math.sqrt(width) * (1 + 0.1 * i), 0) + Math.sin(sum(net)) / fidelity;
}

interface Asked {
  readonly seed?: number;
  readonly budget?: SearchBudget;
  readonly store?: SearchStore<number>;
  /** Cancels when so many were evaluated. */
  readonly stop?: number;
}

async function searched(strategy: Strategy<Net, number>, { stop = Infinity, ...asked }: Asked = {}) {
  const evaluated: string[] = [];
  const controller = new AbortController();
  const run = search({
    space,
    strategy,
    evaluate: async (net, { fidelity }) => {
      if (evaluated.length >= stop) {
        controller.abort();
        throw new CancelledError("stopped");
      }
      evaluated.push(`${space.key(net)} ${fidelity}`);
      return worth(net, fidelity);
    },
    score: (value) => value,
    signal: controller.signal,
    ...asked,
  });
  const result = await run.result.catch((error: unknown) => {
    if (error instanceof CancelledError && evaluated.length >= stop) return undefined;
    throw error;
  });
  return { result, evaluated };
}

const course = ({ trials, ...rest }: SearchResult<Net, number>) => ({ ...rest, trials: [...trials] });

describe.each(Object.keys(strategies) as StrategyName[])("%s", (name) => {
  const strategy = () => made[name]();

  it("has the name that it is listed under", () => {
    expect(strategy().name).toBe(name);
  });

  it("evaluates the same in the same order for the same seed", async () => {
    const first = await searched(strategy(), { seed: 3 });
    expect((await searched(strategy(), { seed: 3 })).evaluated).toEqual(first.evaluated);
    expect(first.evaluated.length).toBeGreaterThan(3);
    expect(first.result!.isComplete).toBe(true);
  });

  it("evaluates nothing that is not allowed, and nothing twice", async () => {
    for (const seed of [1, 2, 3]) {
      const { result, evaluated } = await searched(strategy(), { seed });
      for (const { candidate } of result!.trials) expect(sum(candidate)).toBeLessThanOrEqual(20);
      expect(new Set(evaluated).size).toBe(evaluated.length);
    }
  });

  it("ends as uninterrupted when it is resumed, and evaluates nothing again", async () => {
    const whole = await searched(strategy());
    for (const stop of [0, 1, 3, whole.evaluated.length - 1]) {
      const store = memoryStore<number>();
      const { evaluated } = await searched(strategy(), { store, stop });
      expect(evaluated).toEqual(whole.evaluated.slice(0, stop));
      const again = await searched(strategy(), { store });
      expect(again.evaluated).toEqual(whole.evaluated.slice(stop));
      expect(course(again.result!)).toEqual(course(whole.result!));
    }
  });

  it("keeps its budget, of evaluations and of cost", async () => {
    const few = await searched(strategy(), { budget: { evaluations: 3 } });
    expect(few.evaluated).toHaveLength(3);
    expect(few.result).toMatchObject({ isComplete: false, trials: { length: 3 } });
    for (const cost of [2, 5]) {
      const { result, evaluated } = await searched(strategy(), { budget: { cost } });
      expect(result!.cost).toBe(evaluated.reduce((total, each) => total + Number(each.split(" ")[1]), 0));
      expect(result!.cost).toBeLessThanOrEqual(cost);
      expect(result!.isComplete).toBe(false);
    }
  });

  it("begins nothing when the time is over, and ends with what it has", async () => {
    let time = 0;
    const run = search({
      space,
      strategy: strategy(),
      evaluate: async (net) => {
        time += 400;
        return worth(net);
      },
      score: (value) => value,
      budget: { seconds: 1 },
      clock: () => time,
    });
    expect(await run.result).toMatchObject({ isComplete: false, trials: { length: 3 } });
  });

  it("has no best where nothing may win", async () => {
    const lost = { space, strategy: strategy(), evaluate: async () => Number.NaN, score: (value: number) => value };
    const { best, trials } = await search(lost).result;
    expect(best).toBeUndefined();
    expect(trials.length).toBeGreaterThan(0);
  });
});

describe("on a small space", () => {
  it("evolution finds the best that the exhaustive search knows, in fewer evaluations", async () => {
    const all = await searched(exhaustive());
    for (const seed of [1, 2, 3]) {
      const { result } = await searched(made.evolution(), { seed });
      expect(result!.best!.key).toBe(all.result!.best!.key);
      expect(result!.trials.length).toBeLessThan(all.result!.trials.length);
    }
  });

  it("evolution with a lifetime forgets those who are older", async () => {
    const net = { space: { ...space, isAllowed: () => true }, score: (value: number) => value };
    const parents = new Set<string>();
    const strategy = evolution<Net, number>({ population: 5, parents: 1, mutations: 1, crossovers: 0, lifetime: 2 });
    const watched = {
      ...net.space,
      mutate: (candidate: Net, draw: Parameters<typeof space.mutate>[1]) => {
        parents.add(space.key(candidate));
        return space.mutate(candidate, draw);
      },
    };
    let count = 0;
    // The first one is the best for ever, and never among the last two when parents are chosen.
    await search({ ...net, space: watched, strategy, evaluate: async () => -count++ }).result.then(({ trials }) => {
      expect(parents.has(trials[0]!.key)).toBe(false);
      expect(parents.has(trials[3]!.key)).toBe(true);
    });
  });

  it("successive halving spends what its rungs say, the best of each rung in the next", async () => {
    const rungs = halvingRungs(halving);
    expect(rungs).toEqual([
      { fidelity: 1, candidates: 9 },
      { fidelity: 3, candidates: 3 },
      { fidelity: 9, candidates: 1 },
    ]);
    const { result } = await searched(successiveHalving(halving));
    expect(result!.cost).toBe(rungs.reduce((total, { fidelity, candidates }) => total + fidelity * candidates, 0));
    const at = (fidelity: number) =>
      result!.trials.filter((trial) => trial.fidelity === fidelity).sort((a, b) => b.score - a.score);
    expect(new Set(at(3).map(({ key }) => key))).toEqual(
      new Set(
        at(1)
          .slice(0, 3)
          .map(({ key }) => key),
      ),
    );
    expect(at(9).map(({ key }) => key)).toEqual([at(3)[0]!.key]);
    expect(result!.best).toEqual(at(9)[0]);
  });

  it("each alone, then together: what pays alone is added by its gain while it pays together", async () => {
    const gains = [0.5, 3, -1, 2];
    const evaluated: string[] = [];
    const onOff = choices({ places: gains.map(() => [0, 1]) });
    // The second and the last do the same: together they are worth one.
    const value = (net: Net) => net.reduce((total, on, i) => total + on * gains[i]!, 0) - (net[1] && net[3] ? 2.5 : 0);
    const { best } = await search({
      space: onOff,
      strategy: eachAloneThenTogether(),
      evaluate: async (net) => {
        evaluated.push(net.join(""));
        return value(net);
      },
      score: (score) => score,
    }).result;
    expect(evaluated).toEqual(["0000", "1000", "0100", "0010", "0001", "0101", "1100"]);
    expect(best!.candidate).toEqual([1, 1, 0, 0]);
  });
});
