/** @file Blocks of kernels: the multiples that widths of layers should be, since a kernel computes a whole block of channels or none. */
import { nth } from "../checked.ts";
import {
  type GraphBuilder,
  graphBuilder,
  type Model,
  model,
  sizeOf,
  type Tensor,
  tensor,
  type Value,
} from "../ir/index.ts";
import { checkOptions, type OptionNames } from "../options.ts";
import type { ExecutionProvider, Feeds, OpenSession, Session } from "../runtime/index.ts";
import { type LatencyOptions, raceLatency } from "./latency.ts";
import { splitMix } from "./split-mix.ts";

/** Positions of a width that cost as much as one. */
export interface KernelBlocks {
  /** Channels of convolutions. */
  readonly convolution: number;
  /** Columns and rows of matrix products. */
  readonly product: number;
}

export type KernelKind = keyof KernelBlocks;

/** One comparison: a network of a width against the same one that is wider. */
export interface BlockRow {
  readonly kind: KernelKind;
  readonly narrow: number;
  readonly wide: number;
  /** Multiply-accumulates of the narrow one as a share of those of the wide one, and its time as a share of the other's. */
  readonly work: number;
  readonly time: number;
}

/** Plain data, for a file. */
export interface KernelBlockTable {
  readonly ep: ExecutionProvider;
  readonly threads: number;
  readonly blocks: KernelBlocks;
  readonly rows: readonly BlockRow[];
}

export interface MeasureBlocksOptions {
  readonly ep?: ExecutionProvider;
  readonly threads?: number;
  /** Interleaved rounds; 40 by default. */
  readonly rounds?: number;
  readonly seed?: number;
  readonly signal?: AbortSignal;
  readonly onKind?: (kind: KernelKind, done: number, total: number) => void;
}

const measureBlocksOptionsNames: OptionNames<MeasureBlocksOptions> = {
  ep: true,
  threads: true,
  rounds: true,
  seed: true,
  signal: true,
  onKind: true,
};

/** The largest block that is looked for, and its halves. */
const WIDEST = 32;
const HALVES = [16, 8, 4, 2, 1] as const;

/** Widths beyond which positions are added; multiples of every block. */
const BASES = [64, 96] as const;

/** The part of the work saved that has to be time saved, both as logarithms: half of it is saved by a kernel that pads one of two widths. */
const ENOUGH = 0.75;

const kinds = { convolution: convolutions, product: products } as const;

/**
 * The blocks of a provider on this machine, by networks of equal layers timed in turns. A block is the least one of which half, and half of
 * every larger one, is not worth rounding up: 64 + 8 channels that take as long as 64 + 16 say that it is 16 at least.
 */
export async function measureKernelBlocks(
  open: OpenSession,
  options: MeasureBlocksOptions = {},
): Promise<KernelBlockTable> {
  const { ep = "cpu", threads = 1, onKind } = checkOptions(options, measureBlocksOptionsNames);
  const rows: BlockRow[] = [];
  const found: Record<KernelKind, number> = { convolution: WIDEST, product: WIDEST };
  const names = Object.keys(kinds) as KernelKind[];
  for (const [i, kind] of names.entries()) {
    onKind?.(kind, i, names.length);
    const own = await rowsOf(kind, open, options);
    found[kind] = blockOf(own);
    for (const row of own) rows.push(row);
  }
  return { ep, threads, blocks: found, rows };
}

async function rowsOf(kind: KernelKind, open: OpenSession, options: MeasureBlocksOptions): Promise<BlockRow[]> {
  const { rounds = 40, seed = 0, signal, ep = "cpu", threads = 1 } = options;
  const rows: BlockRow[] = [];
  for (const base of BASES) {
    const widths = [WIDEST, ...HALVES].map((more) => base + more);
    const times = await timesOf(
      widths.map((width) => kinds[kind](width)),
      (net) => open(net, { ep, threads, stock: true }),
      { rounds, seed, ...(signal && { signal }) },
    );
    for (const [i, time] of times.entries()) {
      if (i === 0) continue;
      const [wide, narrow] = [nth(widths, i - 1), nth(widths, i)];
      rows.push({ kind, narrow, wide, work: (narrow / wide) ** 2, time: time / nth(times, i - 1) });
    }
  }
  return rows;
}

/** Of networks that are timed in turns, in parts of the first one's. */
async function timesOf(
  nets: readonly Model[],
  open: (net: Model) => Promise<Session>,
  options: LatencyOptions,
): Promise<number[]> {
  const sessions: Session[] = [];
  try {
    for (const net of nets) sessions.push(await open(net));
    const contenders = sessions.map((session, i) => ({ session, feeds: feedsOf(nth(nets, i)) }));
    return (await raceLatency(contenders, options)).map(({ ratio }) => 1 / ratio);
  } finally {
    await Promise.all(sessions.map((session) => session.release()));
  }
}

/** From the widest block down, as long as half of it saves what it should. */
function blockOf(rows: readonly BlockRow[]): number {
  let block = WIDEST;
  for (const half of HALVES) {
    const own = rows.filter(({ narrow, wide }) => wide - narrow === half);
    const saved = own.reduce((sum, { time }) => sum + Math.log(time), 0);
    const due = own.reduce((sum, { work }) => sum + Math.log(work), 0);
    if (saved / due < ENOUGH) return block;
    block = half;
  }
  return block;
}

const SIDE = 14;
const ROWS = 64;
const DEPTH = 3;

/** 3×3 and 1×1 convolutions from so many channels to as many. */
function convolutions(width: number): Model {
  return layers([1, width, SIDE, SIDE], (g, x, i) => {
    const kernel = i % 2 === 0 ? 3 : 1;
    const pad = (kernel - 1) / 2;
    const weight = g.constant(`w${i}`, numbers([width, width, kernel, kernel]));
    return g.op("Conv", [x, weight], { kernel_shape: [kernel, kernel], pads: [pad, pad, pad, pad] });
  });
}

/** Products of rows with square matrices. */
function products(width: number): Model {
  return layers([ROWS, width], (g, x, i) => g.op("MatMul", [x, g.constant(`w${i}`, numbers([width, width]))]));
}

function layers(dims: readonly number[], layer: (g: GraphBuilder, x: Value, i: number) => Value): Model {
  const g = graphBuilder();
  let x = g.input("x", "float32", dims);
  for (let i = 0; i < DEPTH; i++) x = g.op("Relu", [layer(g, x, i)]);
  g.output(x, "y");
  return model(g.build());
}

function feedsOf({ graph }: Model): Feeds {
  return new Map(
    graph.inputs.flatMap((input): [string, Tensor][] =>
      input.type?.kind === "tensor" ? [[input.name, numbers(input.type.dims as readonly number[])]] : [],
    ),
  );
}

/** As large as those of a network, of both signs, none of them 0. */
function numbers(dims: readonly number[]): Tensor {
  const draws = splitMix(1);
  const values = new Float32Array(sizeOf(dims)).map(() => (draws() / 2 ** 32 - 0.5) / 8);
  return tensor("float32", dims, values);
}
