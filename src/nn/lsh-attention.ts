/** @file Attention among similar positions only: Kitaev et al., "Reformer" (2020), arXiv:2001.04451, section 2. */
import { UsageError } from "../errors.ts";
import { type Tensor, tensorFromNumbers, type Value } from "../ir/index.ts";
import { checkCount, checkOptions, type OptionNames } from "../options.ts";
import { HIDDEN } from "./attention.ts";
import type { Initialiser } from "./initialisers.ts";
import { linear } from "./linear.ts";
import { type Layers, lengthOf } from "./network.ts";
import type { RandomSource } from "./random-source.ts";

export interface LshAttentionOptions {
  readonly heads: number;
  /** Positions in a chunk, which attends to itself and the chunk before; 64 by default. There are as many buckets as chunks. */
  readonly bucket?: number;
  /** Rounds of hashing, which are merged; 4 by default. */
  readonly hashes?: number;
  /** Whether a position sees only itself and those before it. */
  readonly causal?: boolean;
  /** Whether positions of other buckets in the same chunks count too; false by default, as in the paper. */
  readonly acrossBuckets?: boolean;
  /** Where the rotations come from: they are constants of the network. */
  readonly source: RandomSource;
  readonly weight?: Initialiser;
  readonly biasInitial?: Initialiser;
}

const lshAttentionOptionsNames: OptionNames<LshAttentionOptions> = {
  heads: true,
  bucket: true,
  hashes: true,
  causal: true,
  acrossBuckets: true,
  source: true,
  weight: true,
  biasInitial: true,
};

/**
 * [batch, time, width] of fixed time → the same dims, with linear layers before and after. A sequence of one chunk is attended to as a whole.
 *
 * @throws UsageError where heads do not divide the width, or two chunks the time
 */
export function lshAttention(n: Layers, x: Value, options: LshAttentionOptions): Value {
  const {
    heads,
    source,
    weight,
    biasInitial,
    bucket = 64,
    hashes = 4,
    ...own
  } = checkOptions(options, lshAttentionOptionsNames);
  checkCount("the positions of a bucket", bucket);
  checkCount("the rounds of hashing", hashes);
  const [length, width] = [lengthOf(x, 1), lengthOf(x, 2)];
  if (width % heads !== 0) {
    throw new UsageError("the heads do not divide the width", { expected: `a divisor of ${width}`, got: `${heads}` });
  }
  const size = width / heads;
  const initial = { ...(weight && { weight }), ...(biasInitial && { biasInitial }) };
  const apart = (value: Value) =>
    n.reshape(n.transpose(n.reshape(value, [0, 0, heads, size]), [0, 2, 1, 3]), [-1, length, size]);
  const qk = apart(linear(n.scope("qk"), x, width, { ...initial, bias: false }));
  const v = apart(linear(n.scope("v"), x, width, { ...initial, bias: false }));
  const settings = { causal: false, acrossBuckets: false, ...own };
  const mixed =
    length <= bucket
      ? sharedAttention(n, qk, v, settings.causal)
      : hashedAttention(n, qk, v, {
          ...settings,
          bucket,
          rotations: rotationsFrom(source, size, length, bucket, hashes),
        });
  const together = n.transpose(n.reshape(mixed, [-1, heads, length, size]), [0, 2, 1, 3]);
  return linear(n.scope("out"), n.reshape(together, [0, 0, width]), width, initial);
}

/** Random directions [hashes, size, buckets / 2]. @throws UsageError where two chunks do not divide the length */
function rotationsFrom(source: RandomSource, size: number, length: number, bucket: number, hashes: number): Tensor {
  if (length % (2 * bucket) !== 0) {
    throw new UsageError("two buckets do not divide the sequence", {
      expected: `a multiple of ${2 * bucket} positions, or at most ${bucket}`,
      got: `${length}`,
    });
  }
  const dims = [hashes, size, length / bucket / 2];
  const numbers = Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => source.normal());
  return tensorFromNumbers("float32", dims, numbers);
}

/** A position sees itself only where it sees no other. */
const OWN = -5e4;

/** Attention of all to all with keys that are the queries at length 1: [rows, time, size] each. */
export function sharedAttention(n: Layers, qk: Value, v: Value, causal: boolean): Value {
  const length = lengthOf(qk, 1);
  const scores = n.matmul(scaledQueries(n, qk), n.transpose(unitRows(n, qk), [0, 2, 1]));
  const at = (i: number) => (i % length === Math.floor(i / length) ? 1 : 0);
  const after = (i: number) => (i % length > Math.floor(i / length) ? 1 : 0);
  const mask = (name: string, of: (i: number) => number) => {
    const values = new Float32Array(length * length).map((_, i) => of(i));
    return n.greater(n.constant(name, tensorFromNumbers("float32", [1, length, length], values)), 0.5);
  };
  const others = n.where(mask("own", at), OWN, scores);
  return n.matmul(n.softmax(causal ? n.where(mask("later", after), HIDDEN, others) : others, -1), v);
}

export interface HashedAttention {
  readonly bucket: number;
  readonly causal: boolean;
  readonly acrossBuckets: boolean;
  /** [hashes, size, buckets / 2]. */
  readonly rotations: Tensor;
}

/**
 * The same among positions of one bucket that come to stand in one chunk or the one before: positions are sorted by the largest of
 * [xR, −xR], then by time. Rounds are merged by the sums of their weights; a pair that several rounds have counts once.
 */
export function hashedAttention(n: Layers, qk: Value, v: Value, given: HashedAttention): Value {
  const rounds = given.rotations.dims[0] ?? 1;
  const [length, size] = [lengthOf(qk, 1), lengthOf(qk, 2)];
  const { bucket } = given;
  const chunks = length / bucket;
  const buckets = bucketsOf(n, qk, given.rotations);
  const places = n.constant("places", int64Range(length));
  const order = ordered(n, n.add(n.mul(buckets, length), places), length);
  const rank = ordered(n, order, length);
  const inChunks = (x: Value, rest: readonly number[] = []) => n.reshape(x, [-1, rounds, chunks, bucket, ...rest]);
  const taken = (x: Value) => n.op("GatherND", [x, n.reshape(order, [-1, rounds * length, 1])], { batch_dims: 1 });
  const queries = inChunks(taken(scaledQueries(n, qk)), [size]);
  const keys = withBefore(n, inChunks(taken(unitRows(n, qk)), [size]), chunks);
  const scores = n.matmul(queries, n.transpose(keys, [0, 1, 2, 4, 3]));
  const pairs = pairsOf(n, { order, rank, buckets, inChunks, rounds, chunks, bucket, length }, given);
  const masked = pairs.masked(scores);
  const sums = n.op("ReduceLogSumExp", [masked, n.ints([-1])], { keepdims: 1 });
  const values = withBefore(n, inChunks(taken(v), [size]), chunks);
  const mixed = n.matmul(n.exp(n.sub(masked, sums)), values);
  const back = (x: Value, last: number) =>
    n.op("GatherND", [n.reshape(x, [-1, rounds, length, last]), n.unsqueeze(rank, [3])], { batch_dims: 2 });
  return n.sum(n.mul(n.softmax(back(sums, 1), 1), back(mixed, size)), [1]);
}

interface Sorted {
  /** [rows, rounds, time]: which position stands at a place, and at which place a position stands. */
  readonly order: Value;
  readonly rank: Value;
  readonly buckets: Value;
  inChunks(x: Value): Value;
  readonly rounds: number;
  readonly chunks: number;
  readonly bucket: number;
  readonly length: number;
}

/** What pairs of a query and a key of [rows, rounds, chunks, bucket, 2·bucket] are to each other. */
function pairsOf(n: Layers, sorted: Sorted, { causal, acrossBuckets }: HashedAttention) {
  const { order, rank, buckets, inChunks, rounds, chunks, bucket, length } = sorted;
  const compared = (x: Value, how: "equal" | "less" | "sub") => {
    const own = inChunks(x);
    return n[how](n.unsqueeze(own, [4]), n.unsqueeze(withBefore(n, own, chunks), [3]));
  };
  const flatOrder = n.reshape(order, [-1, rounds * length, 1]);
  /** Of one round, for the positions in the order of all of them. */
  const ofRound = (x: Value, round: number) => {
    const one = n.squeeze(n.slice(x, [round], [round + 1], [1]), [1]);
    return n.op("GatherND", [one, flatOrder], { batch_dims: 1 });
  };
  const chunkOf = n.div(rank, n.constant("bucket", int64Scalar(bucket)));
  const seenIn = (round: number): Value => {
    const apart = n.cast(compared(ofRound(chunkOf, round), "sub"), "float32");
    const near = n.less(n.abs(n.sub(n.abs(n.sub(apart, 0.5)), 0.5)), 0.25);
    const inReach = n.op("Or", [near, n.less(apart, 1.5 - chunks)]);
    return acrossBuckets ? inReach : n.and(inReach, compared(ofRound(buckets, round), "equal"));
  };
  return {
    masked(scores: Value): Value {
      let masked = scores;
      if (rounds > 1) masked = n.sub(masked, n.log(n.max(countOf(n, rounds, seenIn), 1)));
      masked = n.where(compared(order, "equal"), OWN, masked);
      if (!acrossBuckets) masked = n.where(compared(sortedBuckets(), "equal"), masked, HIDDEN);
      return causal ? n.where(compared(order, "less"), HIDDEN, masked) : masked;
    },
  };

  function sortedBuckets(): Value {
    return n.op("GatherElements", [buckets, order], { axis: 2 });
  }
}

function countOf(n: Layers, rounds: number, seenIn: (round: number) => Value): Value {
  const counts = Array.from({ length: rounds }, (_, round) => n.mask(seenIn(round), "float32"));
  return counts.reduce((sum, count) => n.add(sum, count));
}

/** [rows, rounds, time]: the largest of the projections and their negatives. */
function bucketsOf(n: Layers, qk: Value, rotations: Tensor): Value {
  const turned = n.matmul(n.unsqueeze(qk, [1]), n.constant("rotations", rotations));
  return n.op("ArgMax", [n.concat([turned, n.neg(turned)], -1)], { axis: -1, keepdims: 0 });
}

/** Positions in the ascending order of numbers that differ. */
function ordered(n: Layers, keys: Value, length: number): Value {
  const [, indices] = n.ops("TopK", [keys, n.ints([length])], 2, { axis: -1, largest: 0 });
  return indices as Value;
}

/** Each chunk, axis 2, with the one before it behind it along axis 3; before the first is the last. */
function withBefore(n: Layers, x: Value, chunks: number): Value {
  const last = n.slice(x, [chunks - 1], [chunks], [2]);
  return n.concat([x, n.concat([last, n.slice(x, [0], [chunks - 1], [2])], 2)], 3);
}

function scaledQueries(n: Layers, qk: Value): Value {
  return n.mul(qk, 1 / Math.sqrt(lengthOf(qk, 2)));
}

function unitRows(n: Layers, x: Value): Value {
  return n.div(x, n.sqrt(n.add(n.sum(n.mul(x, x), [-1], true), TINY)));
}

const TINY = 1e-12;

function int64Range(length: number): Tensor {
  return tensorFromNumbers(
    "int64",
    [length],
    Array.from({ length }, (_, i) => i),
  );
}

function int64Scalar(x: number): Tensor {
  return tensorFromNumbers("int64", [], [x]);
}
