import { expect, it } from "vitest";
import { numbersOf, tensorFromNumbers } from "../../ir/index.ts";
import { collect } from "../collect.ts";
import { datasetOf } from "../dataset.ts";
import { nearestRows, replaceWords } from "./replace-words.ts";

const CONTEXT = 50;

const text = datasetOf({
  size: 4,
  labels: async () => [0, 1, 1, 0],
  open: () => ({
    read: (i) => ({
      inputs: new Map([
        [
          "ids",
          tensorFromNumbers(
            "int64",
            [CONTEXT],
            new Float64Array(CONTEXT).map((_, k) => (k + i) % 5),
          ),
        ],
      ]),
      label: [0, 1, 1, 0][i]!,
      source: `${i}`,
    }),
  }),
});

/** Token 0 is padding and stays. */
const candidates = (token: number) => (token === 0 ? [] : [10 * token, 10 * token + 1]);

it("words are replaced at the chance that is asked for, by their candidates alone; samples and labels stay", async () => {
  const more = replaceWords(text, { input: "ids", candidates, copies: 20, probability: 0.4, seed: 3 });
  expect(more.size).toBe(4 * 21);
  const [samples, labels] = [await collect(more), await more.labels!()];
  let [words, changed] = [0, 0];
  const chosen = [0, 0];
  for (const [i, sample] of samples.entries()) {
    const [own] = await collect(text.pick([Math.floor(i / 21)]));
    expect([sample.label, labels[i]]).toEqual([own!.label, own!.label]);
    const [before, after] = [own!, sample].map(({ inputs }) => [...numbersOf(inputs.get("ids")!)]) as [
      number[],
      number[],
    ];
    if (i % 21 === 0) expect(after).toEqual(before);
    if (i % 21 === 0) continue;
    for (const [k, token] of before.entries()) {
      expect([token, ...candidates(token)]).toContain(after[k]);
      if (token === 0) continue;
      words++;
      if (after[k] === token) continue;
      changed++;
      chosen[after[k]! % 10]!++;
    }
  }
  // Four standard deviations of 3200 draws.
  expect(Math.abs(changed / words - 0.4)).toBeLessThan(0.035);
  expect(Math.abs(chosen[0]! / changed - 0.5)).toBeLessThan(0.06);
});

it("copies depend on the seed, the sample and their number alone", async () => {
  const ids = async (seed: number, positions: readonly number[]) => {
    const all = await collect(replaceWords(text, { input: "ids", candidates, copies: 3, seed }).pick(positions));
    return all.map(({ inputs }) => [...numbersOf(inputs.get("ids")!)]);
  };
  const [a, b] = await ids(1, [6, 9]);
  expect(await ids(1, [9, 6])).toEqual([b, a]);
  expect(a).not.toEqual((await ids(1, [7]))[0]);
  expect(a).not.toEqual((await ids(2, [6]))[0]);
});

it("is refused for copies, chances and inputs that are none", async () => {
  const options = { input: "ids", candidates, seed: 1 };
  expect(() => replaceWords(text, { ...options, copies: -1 })).toThrow(/0 or more/);
  expect(() => replaceWords(text, { ...options, probability: 2 })).toThrow(/0 to 1/);
  await expect(collect(replaceWords(text, { ...options, input: "words" }))).rejects.toThrow(/no such tokens.*"words"/);
});

it("near rows are those of the largest cosine, whatever their length", () => {
  const table = tensorFromNumbers("float32", [5, 2], [1, 0, 10, 1, 0, 1, -1, 0, 2, 2]);
  const near = nearestRows(table, 2);
  expect(near(0)).toEqual([1, 4]);
  expect(near(2)).toEqual([4, 1]);
  expect(near(7)).toEqual([]);
});
