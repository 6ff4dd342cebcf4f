/** @file Small pictures first: both sizes are what they are alone, only unsure samples are looked at in full, one by one and in batches. */
import { describe, expect, it } from "vitest";
import {
  exitCosts,
  exitTerms,
  exportEarlyExit,
  openEarlyExit,
  recordExits,
  smallFirst,
} from "../../src/conditional/index.ts";
import { random } from "../../src/data/index.ts";
import { UnsupportedError, UsageError } from "../../src/errors.ts";
import { type Model, numbersOf, type Tensor, tensorFromNumbers, verify } from "../../src/ir/index.ts";
import { lenet, resnet } from "../../src/models/index.ts";
import { costOf } from "../../src/ops/index.ts";
import { evaluate } from "../../src/reference/index.ts";
import { type OpenSession, openSession } from "../../src/runtime/index.ts";
import { openReference } from "../../src/runtime/reference.ts";
import { sgd, trainingStep } from "../../src/train/index.ts";

const SIZE = 16;
const CLASSES = 4;
const made = (seed: number, size: number) =>
  resnet(random(seed), { depth: 8, width: 4, channels: 1, size, classes: CLASSES });
/** The same weights at two sizes, and others. */
const [large, small, other] = [made(1, SIZE), made(1, SIZE / 2), made(2, SIZE / 2)];
const forms: Record<string, { readonly added: ReturnType<typeof smallFirst>; readonly first: Model }> = {
  "one network": { added: smallFirst(large, { size: SIZE / 2 }), first: small },
  "two networks": { added: smallFirst(large, { first: other }), first: other },
};

const list = (tensor: Tensor | undefined): number[] => Array.from(numbersOf(tensor!));
const feedsOf = (x: Tensor) => new Map([["input", x]]);

function pictures(count: number): Tensor {
  const source = random(7);
  const values = Array.from({ length: count * SIZE * SIZE }, () => 2 * source.normal());
  return tensorFromNumbers("float32", [count, 1, SIZE, SIZE], values);
}

function rows(x: Tensor): Tensor[] {
  const [count = 0, ...rest] = x.dims;
  const values = numbersOf(x);
  const width = values.length / count;
  return Array.from({ length: count }, (_, i) =>
    tensorFromNumbers(x.dtype, [1, ...rest], values.slice(i * width, (i + 1) * width)),
  );
}

/** Means of four pixels. */
function halved(x: Tensor): Tensor {
  const values = numbersOf(x);
  const half = SIZE / 2;
  const at = (i: number, row: number, column: number) => values[(i * SIZE + row) * SIZE + column]!;
  const means = Array.from({ length: x.dims[0]! * half * half }, (_, k) => {
    const [i, row, column] = [Math.floor(k / half / half), 2 * (Math.floor(k / half) % half), 2 * (k % half)];
    return (at(i, row, column) + at(i, row, column + 1) + at(i, row + 1, column) + at(i, row + 1, column + 1)) / 4;
  });
  return tensorFromNumbers("float32", [x.dims[0]!, 1, half, half], means);
}

async function convolutions(model: Model, x: Tensor): Promise<number> {
  await using session = await openSession(model, { profile: true, optimization: "disabled" });
  await session.run(feedsOf(x));
  return (await session.profile()).filter(({ opType }) => opType === "Conv").length;
}

describe.each(Object.entries(forms))("small pictures first, %s", (_, { added, first }) => {
  const x = pictures(8);
  const whole = evaluate(large, feedsOf(x)).get("logits")!;
  const glance = evaluate(first, feedsOf(halved(x))).get("logits")!;

  it("looks at both sizes as the networks alone do", () => {
    expect(verify(added.model)).toEqual([]);
    const both = evaluate(added.model, feedsOf(x));
    expect(list(both.get("logits"))).toEqual(list(whole));
    list(both.get(added.exits[0]!)).forEach((value, i) => void expect(value).toBeCloseTo(list(glance)[i]!, 5));
  });

  it("leaves the large picture out for sure samples, one by one and in batches", async () => {
    const labels = list(x)
      .slice(0, 8)
      .map(() => 0);
    const { scores } = await recordExits(added.model, [{ feeds: feedsOf(x), labels }], { ...added, open: openSession });
    const sorted = [...scores[0]!].sort((a, b) => a - b);
    const options = { ...added, thresholds: [(sorted[3]! + sorted[4]!) / 2] };
    const exported = await exportEarlyExit(added.model, options);
    expect(verify(exported)).toEqual([]);
    const { open, batches } = counting();
    await using batched = await openEarlyExit(added.model, options, open);
    const together = await batched.run(feedsOf(x));
    expect(batches).toEqual([8, 4]);
    await using session = await openSession(exported);
    const counts = new Set<string>();
    for (const [i, row] of rows(x).entries()) {
      const exit = Number(scores[0]![i]! < options.thresholds[0]!);
      const answers = await session.run(feedsOf(row));
      expect([list(answers.get("exit"))[0], together.exits[i]]).toEqual([exit, exit]);
      const right = list(rows(exit === 1 ? whole : glance)[i]);
      for (const logits of [answers.get("logits"), rows(together.logits)[i]]) {
        list(logits).forEach((value, c) => void expect(value).toBeCloseTo(right[c]!, 4));
      }
      if (i < 2 || counts.size < 2) counts.add(`${exit}: ${await convolutions(exported, row)}`);
    }
    expect([...counts].sort()).toEqual(["0: 9", "1: 18"]);
  });

  it("is the plain network, or the first one, at extreme thresholds", async () => {
    for (const [threshold, right] of [
      [Number.POSITIVE_INFINITY, whole],
      [-1, glance],
    ] as const) {
      const exported = await exportEarlyExit(added.model, { ...added, thresholds: [threshold] });
      const logits = list(evaluate(exported, feedsOf(x)).get("logits"));
      logits.forEach((value, i) => void expect(value).toBeCloseTo(list(right)[i]!, 5));
    }
  });

  it("costs what both networks cost", () => {
    const costs = [costOf(first).macs, costOf(first).macs + costOf(large).macs];
    expect(exitCosts(added.model, added)).toEqual(costs);
  });
});

/** A reference that tells the sizes of its batches. */
function counting(): { readonly open: OpenSession; readonly batches: number[] } {
  const batches: number[] = [];
  const open: OpenSession = async (model) => {
    const session = await openReference(model);
    const run = (feeds: ReadonlyMap<string, Tensor>) => {
      batches.push([...feeds.values()][0]!.dims[0]!);
      return session.run(feeds);
    };
    return { ...session, run };
  };
  return { open, batches };
}

it("one network shares kernels and matrices, and has norms for each size", () => {
  const parametersOf = (model: Model, exits: readonly string[]) => {
    const terms = exits.length > 0 ? exitTerms({ exits }, "crossEntropy") : [];
    return trainingStep(model, { loss: "crossEntropy", output: "logits", terms, optimizer: sgd() }).state;
  };
  const { model, exits } = forms["one network"]!.added;
  const count = (state: ReturnType<typeof parametersOf>) => {
    const ranks = state.filter(({ kind }) => kind === "parameter").map(({ initial }) => initial.dims.length > 1);
    const statistics = state.filter(({ kind }) => kind === "statistic").length;
    return { matrices: ranks.filter(Boolean).length, vectors: ranks.filter((is) => !is).length, statistics };
  };
  const [alone, both] = [count(parametersOf(large, [])), count(parametersOf(model, exits))];
  expect(both).toEqual({ matrices: alone.matrices, vectors: 2 * alone.vectors, statistics: 2 * alone.statistics });
});

it("wrong use is named", () => {
  expect(() => smallFirst(large, { size: SIZE })).toThrow(UsageError);
  expect(() => smallFirst(large, { size: 0 })).toThrow(UsageError);
  expect(() => smallFirst(large, { first: resnet(random(1), { depth: 8, size: 8, classes: CLASSES }) })).toThrow(
    UsageError,
  );
  expect(() => smallFirst(lenet(random(1)), { size: 16 })).toThrow(UnsupportedError);
  expect(() => smallFirst(forms["one network"]!.added.model, { size: 8 })).toThrow(UnsupportedError);
});
