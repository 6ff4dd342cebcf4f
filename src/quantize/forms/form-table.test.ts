import { describe, expect, it } from "vitest";
import { LitheError, UsageError } from "../../errors.ts";
import { isSparse, type Model } from "../../ir/index.ts";
import type { OpenSession, Session } from "../../runtime/index.ts";
import { advice, type FormEntry, type FormTable, type ProbeOptions, probeForms } from "./form-table.ts";

/** What a session is asked for and says; the first of two is of floats. */
interface Probed {
  readonly opened: Model[];
  readonly options: unknown[];
  readonly timed: string[];
  readonly open: OpenSession;
}

/** Forms take as long as floats, divided by one ratio after another; `refuses` may throw for a model. */
function probed(ratios: readonly number[], refuses: (model: Model) => void = () => undefined): Probed {
  const opened: Model[] = [];
  const options: unknown[] = [];
  const timed: string[] = [];
  const open: OpenSession = async (model, given) => {
    const isFloat = model.graph.nodes.length === 1 && model.graph.nodes[0]!.domain === "";
    opened.push(model);
    options.push(given);
    if (!isFloat) refuses(model);
    let calls = 0;
    const time = async () => {
      timed.push(isFloat ? "float" : "form");
      // The first call warms up. The middle of five is what counts.
      const ratio = calls === 0 ? 1000 : ratios[(calls - 1) % ratios.length]!;
      calls++;
      const own = isFloat ? 12 : 12 / ratio;
      return { times: [9 * own, own, 0.1 * own, 7 * own, 0.2 * own], firstRun: 0 };
    };
    return { time, [Symbol.asyncDispose]: async () => undefined } as unknown as Session;
  };
  return { opened, options, timed, open };
}

/** The first entries; all of convolutions are before those of large matrices, which take long to make. */
async function entriesOf(count: number, { open }: Probed, options: ProbeOptions): Promise<readonly FormEntry[]> {
  const stop = new AbortController();
  const entries: FormEntry[] = [];
  const onEntry: ProbeOptions["onEntry"] = (entry, done, total) => {
    entries.push(entry);
    expect([done, total]).toEqual([entries.length, 3 * 6 + 2 * 12]);
    if (done === count) stop.abort();
  };
  await expect(probeForms(open, "cpu", { ...options, signal: stop.signal, onEntry })).rejects.toThrow(/abort/i);
  return entries;
}

describe("the form table", () => {
  it("has every form of a convolution but blocks, with the weights that it is named after", async () => {
    const sessions = probed([2]);
    const entries = await entriesOf(18, sessions, { rounds: 1 });
    const found = entries.map(({ product, form, ratio }, i) => {
      expect(ratio).toBe(2);
      const { initializers } = sessions.opened[2 * i + 1]!.graph;
      const [, data] = [...initializers].find(([{ name }]) => name === "w")!;
      return [`${form} of ${product}`, isSparse(data) ? "" : data.dtype] as const;
    });
    const forms = {
      "static u8s8": "int8",
      "static u8u8": "uint8",
      "dynamic u8u8": "uint8",
      "dynamic u8s8": "int8",
      "weight-only int8": "int8",
      float16: "float16",
    };
    const all = ["conv", "conv 1x1", "depthwise"].flatMap((product) =>
      Object.entries(forms).map(([form, dtype]) => [`${form} of ${product}`, dtype]),
    );
    expect(Object.fromEntries(found)).toEqual(Object.fromEntries(all));
  });

  it("gives the median of the rounds' ratios and their quartiles, to three digits", async () => {
    const [entry] = await entriesOf(1, probed([3, 1, 5, 2.00049, 4]), { rounds: 5 });
    expect(entry).toEqual({ product: "conv", form: "static u8s8", ratio: 3, spread: [2, 4] });
  });

  it("measures a form once that is ten times slower than floats", async () => {
    const sessions = probed([0.05, 2]);
    const [entry] = await entriesOf(1, sessions, { rounds: 9 });
    expect(entry).toEqual({ product: "conv", form: "static u8s8", ratio: 0.05, spread: [0.05, 0.05] });
    expect(sessions.timed.join(" ")).toBe("float form float form");
  });

  it("measures in rounds that begin with floats and with the form in turn, after one call each", async () => {
    const sessions = probed([1]);
    await entriesOf(1, sessions, { rounds: 3 });
    expect(sessions.timed.join(" ")).toBe("float form float form form float float form");
  });

  it("opens both on the provider and the threads that it is made for", async () => {
    const sessions = probed([1]);
    await entriesOf(1, sessions, { rounds: 1, threads: 3 });
    expect(sessions.options).toEqual([
      { ep: "cpu", threads: 3 },
      { ep: "cpu", threads: 3 },
    ]);
  });

  it("says why a form does not run, and passes on what is no word of the runtime", async () => {
    const refuses = ({ graph }: Model) => {
      if (graph.nodes.some(({ opType }) => opType === "ConvInteger")) throw new LitheError("no kernel for this");
    };
    const entries = await entriesOf(4, probed([2], refuses), { rounds: 1 });
    expect(entries.map(({ ratio }) => ratio)).toEqual([2, 2, undefined, undefined]);
    for (const { reason, spread } of entries.slice(2)) {
      expect(reason).toMatch(/no kernel for this/);
      expect(spread).toBeUndefined();
    }
    const broken = probed([2], () => {
      throw new TypeError("a mistake");
    });
    await expect(probeForms(broken.open, "cpu", { rounds: 1 })).rejects.toThrow(TypeError);
  });
});

describe("advice", () => {
  const table: FormTable = {
    ep: "cpu",
    threads: 1,
    entries: [
      { product: "conv", form: "static u8s8", ratio: 1.2 },
      { product: "conv", form: "static u8u8", ratio: 1 },
      { product: "depthwise", form: "static u8s8", ratio: 0.4 },
      { product: "depthwise", form: "static u8u8", reason: "no kernel" },
      { product: "depthwise", form: "float16" },
    ],
  };

  it("is that a form pays above 1 only, or does not run", () => {
    expect(advice(table, "conv", "static u8s8")).toEqual({ verdict: "pays", ratio: 1.2 });
    expect(advice(table, "conv", "static u8u8")).toEqual({ verdict: "loses", ratio: 1 });
    expect(advice(table, "depthwise", "static u8s8")).toEqual({ verdict: "loses", ratio: 0.4 });
    expect(advice(table, "depthwise", "static u8u8")).toEqual({ verdict: "does not run", reason: "no kernel" });
    expect(advice(table, "depthwise", "float16")).toEqual({ verdict: "does not run" });
  });

  it("asks for another measurement where the table lacks the entry", () => {
    expect(() => advice(table, "conv", "float16")).toThrow(UsageError);
    expect(() => advice(table, "conv", "float16")).toThrow(/float16 of conv/);
  });
});
