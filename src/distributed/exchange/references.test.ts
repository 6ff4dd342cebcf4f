/** @file Memories and compressors against numbers that test/fixtures/compression/make.py computes with PyTorch and NumPy. */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { must, nth } from "../../checked.ts";
import { maxOf } from "../../ir/index.ts";
import { qsgdLevels } from "../compressors/qsgd.ts";
import { ternary } from "../compressors/terngrad.ts";
import {
  compressedExchange,
  compressors,
  type DgcOptions,
  deepGradientCompression,
  type GradientExchange,
  localTransports,
  memories,
  type OneBitAdamOptions,
  oneBitAdam,
  openCommunicator,
} from "../index.ts";

type Tensors = Readonly<Record<string, readonly number[]>>;

interface Feedback {
  readonly steps: readonly Tensors[];
  readonly errors: Tensors;
}

interface Drawn {
  readonly values: readonly number[];
  readonly uniform: readonly number[];
  readonly expected: readonly number[];
}

interface Recorded {
  readonly dims: Readonly<Record<string, readonly number[]>>;
  readonly two: readonly (readonly Tensors[])[];
  readonly three: readonly (readonly Tensors[])[];
  readonly dgc: readonly {
    readonly options: DgcOptions;
    readonly steps: readonly { readonly mean: Tensors }[];
    readonly u: readonly Tensors[];
    readonly v: readonly Tensors[];
  }[];
  readonly powersgd: readonly {
    readonly rank: number;
    readonly first: Tensors;
    readonly steps: readonly Tensors[];
    readonly errors: readonly Tensors[];
  }[];
  readonly topK: Feedback;
  readonly sign: Feedback;
  readonly qsgd: readonly (Drawn & { readonly bits: number; readonly bucket: number })[];
  readonly terngrad: Drawn;
  readonly oneBitAdam: { readonly options: OneBitAdamOptions; readonly steps: readonly (readonly number[])[] };
}

const recorded: Recorded = JSON.parse(
  readFileSync(new URL("../../../test/fixtures/compression/torch.json", import.meta.url), "utf8"),
);

/** What each rank has after each step: the results of rank 0, and of all ranks the state. */
async function follow(
  steps: Recorded["two"],
  exchanges: readonly GradientExchange[],
  names = Object.keys(recorded.dims),
) {
  const ranks = localTransports(exchanges.length).map(openCommunicator);
  const results: Record<string, Float32Array>[] = [];
  for (const [i, step] of steps.entries()) {
    const own = exchanges.map((_, rank) =>
      names.map((name) => ({
        name,
        dims: recorded.dims[name]!,
        values: Float32Array.from(nth(step, rank)[name]!),
      })),
    );
    await Promise.all(ranks.map((rank, r) => nth(exchanges, r).average(rank, nth(own, r), i + 1)));
    for (const each of own) expect(each).toEqual(own[0]);
    results.push(Object.fromEntries(nth(own, 0).map(({ name, values }) => [name, values])));
  }
  await Promise.all(ranks.map((rank) => rank[Symbol.asyncDispose]()));
  return results;
}

function expectNear(values: ArrayLike<number>, wanted: readonly number[], tolerance = 1e-6): void {
  expect(values.length).toBe(wanted.length);
  const errors = wanted.map((value, i) => Math.abs(values[i]! - value) / Math.max(1, Math.abs(value)));
  expect(maxOf(errors)).toBeLessThan(tolerance);
}

it.each(recorded.dgc)("Deep Gradient Compression with $options", async ({ options, steps, u, v }) => {
  const exchanges = [0, 1].map(() => deepGradientCompression(options));
  const results = await follow(recorded.two, exchanges);
  for (const [i, { mean }] of steps.entries()) {
    for (const [name, values] of Object.entries(mean)) expectNear(nth(results, i)[name]!, values);
  }
  for (const [rank, exchange] of exchanges.entries()) {
    const state = exchange.readState();
    for (const [name, values] of Object.entries(nth(u, rank)))
      expectNear(must(state, `memory momentum ${name}`), values);
    for (const [name, values] of Object.entries(nth(v, rank))) expectNear(must(state, `memory sum ${name}`), values);
  }
});

it.each(recorded.powersgd)("PowerSGD of rank $rank", async ({ rank, first, steps, errors }) => {
  const exchanges = [0, 1, 2].map(() => compressedExchange({ compressor: compressors.powersgd({ rank }) }));
  for (const exchange of exchanges) {
    const start = Object.entries(first).map(([name, q]): [string, Float32Array] => [
      `compressor q ${name}`,
      Float32Array.from(q),
    ]);
    exchange.restore(new Map(start));
  }
  const results = await follow(recorded.three, exchanges, Object.keys(first));
  for (const [i, step] of steps.entries()) {
    for (const [name, values] of Object.entries(step)) expectNear(nth(results, i)[name]!, values, 2e-5);
  }
  for (const [r, exchange] of exchanges.entries()) {
    for (const [name, values] of Object.entries(nth(errors, r))) {
      expectNear(must(exchange.readState(), `memory residual ${name}`), values, 2e-5);
    }
  }
});

it.each([
  ["top-k", compressors["top-k"]({ density: 0.1 }), recorded.topK],
  ["sign", compressors.sign(), recorded.sign],
] as const)("%s with error feedback", async (_, compressor, { steps, errors }) => {
  const exchange = compressedExchange({ compressor, memory: memories.residual(), applies: () => true });
  const results = await follow(recorded.three, [exchange]);
  for (const [i, step] of steps.entries()) {
    for (const [name, values] of Object.entries(step)) expectNear(nth(results, i)[name]!, values);
  }
  for (const [name, values] of Object.entries(errors)) {
    expectNear(must(exchange.readState(), `memory residual ${name}`), values);
  }
});

it.each(recorded.qsgd)("QSGD of $bits bits", ({ bits, bucket, values, uniform, expected }) => {
  const s = 2 ** (bits - 1) - 1;
  const { norms, levels } = qsgdLevels(Float32Array.from(values), { s, bucket }, chance(uniform));
  expectNear(
    [...levels].map((level, i) => (level * nth(norms, Math.floor(i / bucket))) / s),
    expected,
  );
});

it("TernGrad", () => {
  const { values, uniform, expected } = recorded.terngrad;
  const { scale, signs } = ternary(Float32Array.from(values), chance(uniform));
  expectNear(
    [...signs].map((sign) => sign * scale),
    expected,
  );
});

function chance(uniform: readonly number[]): () => number {
  let at = 0;
  return () => nth(uniform, at++);
}

it("1-bit Adam", async () => {
  const { options, steps } = recorded.oneBitAdam;
  const results = await follow(
    recorded.three,
    [0, 1, 2].map(() => oneBitAdam(options)),
  );
  for (const [i, wanted] of steps.entries()) {
    expectNear(
      Object.values(nth(results, i)).flatMap((values) => [...values]),
      wanted,
      1e-5,
    );
  }
});
