/** @file The form table: what each form of an operator is worth on one execution provider, measured. */
import { lastOf, nth } from "../../checked.ts";
import { LitheError, UsageError } from "../../errors.ts";
import { checkOptions, type OptionNames } from "../../options.ts";
import type { ExecutionProvider, OpenSession, Session } from "../../runtime/index.ts";
import {
  dynamicProbe,
  float16Probe,
  floatProbe,
  nbitsProbe,
  noiseTensor,
  type ProbeModel,
  type ProbeProduct,
  probeProducts,
  staticProbe,
  weightOnlyProbe,
} from "./probe-models.ts";

const forms = {
  "static u8s8": (product) => staticProbe(product, "int8"),
  "static u8u8": (product) => staticProbe(product, "uint8"),
  "dynamic u8u8": (product) => dynamicProbe(product, "uint8"),
  "dynamic u8s8": (product) => dynamicProbe(product, "int8"),
  "weight-only int8": weightOnlyProbe,
  "weight-only 8-bit blocks": (product) => nbitsProbe(product, 8, 4),
  "weight-only 4-bit blocks": (product) => nbitsProbe(product, 4, 4),
  "weight-only 2-bit blocks": (product) => nbitsProbe(product, 2, 4),
  "weight-only 8-bit blocks, exact": (product) => nbitsProbe(product, 8, 0),
  "weight-only 4-bit blocks, exact": (product) => nbitsProbe(product, 4, 0),
  "weight-only 2-bit blocks, exact": (product) => nbitsProbe(product, 2, 0),
  float16: float16Probe,
} as const satisfies Record<string, (product: (typeof probeProducts)[ProbeProduct]) => ProbeModel>;

export type ProbeForm = keyof typeof forms;

/** One line of the table. */
export interface FormEntry {
  readonly product: ProbeProduct;
  readonly form: ProbeForm;
  /** Time in float32 / time in this form: above 1 the form pays. Absent: it does not run here. */
  readonly ratio?: number;
  /** Quartiles of the ratio over the rounds. */
  readonly spread?: readonly [number, number];
  /** Why it does not run. */
  readonly reason?: string;
}

/** Plain data, for a file. */
export interface FormTable {
  readonly ep: ExecutionProvider;
  readonly threads: number;
  readonly entries: readonly FormEntry[];
}

export interface ProbeOptions {
  /** Interleaved rounds; default 15. */
  readonly rounds?: number;
  readonly threads?: number;
  readonly signal?: AbortSignal;
  readonly onEntry?: (entry: FormEntry, done: number, total: number) => void;
}

const RUNS = 5;

/** A form that is this slow in its first round is not measured again: exact kernels of few bits take a hundred times as long as float32. */
const HOPELESS = 0.1;

const probeOptionsNames: OptionNames<ProbeOptions> = { rounds: true, threads: true, signal: true, onEntry: true };

/** Measures every form of every product against float32 in interleaved rounds; forms that do not run are listed with the reason. */
export async function probeForms(
  open: OpenSession,
  ep: ExecutionProvider,
  options: ProbeOptions = {},
): Promise<FormTable> {
  const { rounds = 15, threads = 1, signal, onEntry } = checkOptions(options, probeOptionsNames);
  const entries: FormEntry[] = [];
  const total = combinations().length;
  for (const [product, form] of combinations()) {
    signal?.throwIfAborted();
    entries.push(await probe(open, { ep, threads }, product, form, rounds));
    onEntry?.(lastOf(entries), entries.length, total);
  }
  return { ep, threads, entries };
}

/** Blocks are a form of matrix products only. */
function combinations(): [ProbeProduct, ProbeForm][] {
  const products = Object.keys(probeProducts) as ProbeProduct[];
  return products.flatMap((product) =>
    (Object.keys(forms) as ProbeForm[])
      .filter((form) => probeProducts[product].opType === "MatMul" || !form.includes("blocks"))
      .map((form): [ProbeProduct, ProbeForm] => [product, form]),
  );
}

async function probe(
  open: OpenSession,
  options: { ep: ExecutionProvider; threads: number },
  product: ProbeProduct,
  form: ProbeForm,
  rounds: number,
): Promise<FormEntry> {
  const base = floatProbe(probeProducts[product]);
  const feeds = new Map([["x", noiseTensor(base.inputDims)]]);
  try {
    await using reference = await open(base.model, options);
    await using candidate = await open(forms[form](probeProducts[product]).model, options);
    const median = async (session: Session): Promise<number> => middle((await session.time(feeds, RUNS)).times);
    await median(reference);
    await median(candidate);
    const ratios: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const first = round % 2 === 0 ? await median(reference) : undefined;
      const own = await median(candidate);
      ratios.push((first ?? (await median(reference))) / own);
      if (nth(ratios, 0) < HOPELESS) break;
    }
    ratios.sort((a, b) => a - b);
    const at = (part: number): number => rounded(nth(ratios, Math.floor(part * (ratios.length - 1))));
    return { product, form, ratio: at(0.5), spread: [at(0.25), at(0.75)] };
  } catch (error) {
    if (!(error instanceof LitheError)) throw error;
    return { product, form, reason: error.message };
  }
}

function middle(times: readonly number[]): number {
  return nth(
    [...times].sort((a, b) => a - b),
    Math.floor(times.length / 2),
  );
}

function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}

/** What the table says about a form of a product. */
export interface Advice {
  readonly verdict: "pays" | "loses" | "does not run";
  readonly ratio?: number;
  readonly reason?: string;
}

/** @throws UsageError when the table has no such entry. */
export function advice(table: FormTable, product: ProbeProduct, form: ProbeForm): Advice {
  const entry = table.entries.find((candidate) => candidate.product === product && candidate.form === form);
  if (!entry) {
    throw new UsageError("the form table has no such entry", { got: `${form} of ${product}`, hint: "Probe again." });
  }
  if (entry.ratio === undefined) return { verdict: "does not run", ...(entry.reason ? { reason: entry.reason } : {}) };
  return { verdict: entry.ratio > 1 ? "pays" : "loses", ratio: entry.ratio };
}
