import { afterEach, describe, expect, it, vi } from "vitest";
import { twoLayers } from "../../test/small-context.ts";
import { denseBatches, openTaking } from "../../test/small-job.ts";
import { CancelledError, DataError, RuntimeError, UsageError } from "../errors.ts";
import { graphBuilder, type Model, model, numbersOf, type Tensor, tensor } from "../ir/index.ts";
import { verdictOf } from "../measure/verdict.ts";
import { encodeModel } from "../onnx/index.ts";
import { convertFloat16 } from "../passes/index.ts";
import { quantize } from "../quantize/index.ts";
import { cpuSaturates, type OpenSession, openSession, type Session } from "../runtime/index.ts";
import { accelerate } from "./accelerate.ts";
import type { AccelerateOptions, CandidateStore } from "./options.ts";
import type { Accelerated, MeasuredComparison } from "./result.ts";
import type { Batches } from "./samples.ts";

type Millis = (model: Model) => number;

/** Real sessions whose times come from the model instead of a clock, so that the choice is the same on every machine. */
function openTimed(
  millis: Millis,
  alter: (session: Session) => Session["run"] = ({ run }) => run,
  timed: (rounds: number) => void = () => undefined,
): OpenSession {
  return async (opened, options) => {
    const session = await openSession(opened, options);
    const took = millis(opened);
    const { ep, inputs, outputs, loadTime } = session;
    const run = alter({ ...session, ep, run: (...args) => session.run(...args) });
    return {
      ep,
      inputs,
      outputs,
      loadTime,
      run,
      time: async (_, rounds) => {
        timed(rounds);
        return { times: new Array<number>(rounds).fill(took), firstRun: took };
      },
      profile: () => session.profile(),
      release: () => session.release(),
      [Symbol.asyncDispose]: () => session.release(),
    };
  };
}

const bySize: Millis = (opened) => encodeModel(opened).byteLength / 1000;
const always: Millis = () => 1;

function hasFloat16({ graph }: Model): boolean {
  return [...graph.initializers.values()].some((stored) => "dtype" in stored && stored.dtype === "float16");
}

function values(count: number, seed: number): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => Math.sin(seed + i * 1.7) * Math.cos(seed * i));
}

/** Two layers, the second with scores; with `both` the hidden values are an output too. */
function network({ both = false } = {}): Model {
  const g = graphBuilder();
  const x = g.input("x", "float32", ["batch", 16]);
  const first = g.constant("first", tensor("float32", [16, 64], values(1024, 1)));
  const hidden = g.op("Relu", [g.op("MatMul", [x, first], {}, { name: "first" })]);
  const second = g.constant("second", tensor("float32", [64, 5], values(320, 2)));
  g.output(g.op("MatMul", [hidden, second], {}, { name: "second" }), "scores");
  if (both) g.output(hidden, "hidden");
  return model(g.build());
}

function samples(count: number, seed: number, width = 16, at = (_: number): Float32Array | undefined => undefined) {
  return async function* () {
    for (let i = 0; i < count; i++) {
      yield {
        feeds: new Map<string, Tensor>([["x", tensor("float32", [1, width], at(i) ?? values(width, seed + i))]]),
      };
    }
  };
}

function job(original: Model, options: Partial<AccelerateOptions> = {}) {
  return accelerate(original, {
    calibration: samples(8, 100),
    evaluation: samples(24, 500),
    ep: "cpu",
    threads: 1,
    maxDrop: 0.05,
    goal: "latency",
    budgetSeconds: 600,
    seed: 1,
    store: onlyTrying("cleaned", "float32", "float16", "static int8, min-max"),
    weightBits: 7,
    otherProviders: [],
    originalBytes: encodeModel(original).byteLength,
    open: openTimed(bySize),
    ...options,
  });
}

/** A store in which all other forms are finished and slow, so that only these are tried, however slow the machine is. */
function onlyTrying(...forms: readonly string[]): CandidateStore {
  const comparison = finished([0.5, 0.5]);
  return {
    load: async (form) => (forms.includes(form) ? undefined : { comparison, bytes: new Uint8Array() }),
    keep: async () => undefined,
  };
}

/** A comparison that found no loss, and this interval of the ratio of latencies. */
function finished(spread: readonly [number, number]): MeasuredComparison {
  const times = { p50: 1, p95: 1, min: 1, mean: 1 };
  return {
    n: 1,
    size: { a: 1, b: 1, ratio: 1 },
    latency: {
      ...{ ep: "cpu", threads: 1, batch: 1, a: times, b: times, rounds: 30, inputs: 1, sessions: 3 },
      ...{ ratio: spread[0], spread, verdict: verdictOf(spread) },
    },
    agreement: { n: 1, maxAbs: 0, relative: 0, cosine: 1, top1: 1, lost: 0, perOutput: [], missing: [], build: "none" },
    warnings: [],
  };
}

/** A store in memory that notes what was asked of it. */
function memoryStore(): CandidateStore & { readonly kept: Map<string, Awaited<ReturnType<CandidateStore["load"]>>> } {
  const kept = new Map<string, Awaited<ReturnType<CandidateStore["load"]>>>();
  return {
    kept,
    load: async (form) => kept.get(form),
    keep: async (form, finished) => void kept.set(form, finished),
  };
}

function outcomes({ candidates }: Accelerated) {
  return new Map(candidates.map((candidate) => [candidate.form, candidate]));
}

describe("accelerate", () => {
  it("hands out the fastest form that holds, and takes finished candidates from a store without measuring them", async () => {
    const store = memoryStore();
    const first = await job(network(), { store, budgetSeconds: 600 }).result;
    expect(first).toMatchObject({ faster: true, samples: { selection: 12, verification: 12, disjoint: true } });
    expect(first.comparison.latency.ratio).toBeGreaterThan(1);
    expect(1 - first.comparison.agreement.top1!).toBeLessThanOrEqual(0.05);
    expect(first.measure).toContain("another top answer");
    expect(outcomes(first).get(first.form)).toMatchObject({ accepted: true, onFront: true });
    expect([...store.kept.keys()]).toContain(first.form);

    const keep = (): Promise<void> => Promise.reject(new Error("measured again"));
    const again = await job(network(), { store: { load: store.load, keep }, budgetSeconds: 600 }).result;
    expect(again.form).toBe(first.form);
    expect(again.candidates.filter(({ comparison }) => comparison)).toEqual(
      first.candidates.filter(({ comparison }) => comparison),
    );
    expect(Buffer.compare(again.bytes, first.bytes)).toBe(0);
  });

  it("returns the cleaned original when nothing is faster, and says what each form came to", async () => {
    const result = await job(network(), { open: openTimed(always) }).result;
    expect(result).toMatchObject({ faster: false, form: "cleaned" });
    const measured = result.candidates.filter(({ comparison }) => comparison);
    expect(measured.length).toBeGreaterThan(1);
    for (const { accepted, reason } of measured) {
      expect(accepted).toBe(false);
      expect(reason).toMatch(/slower|faster|bound/);
    }
  });

  it("a form that fails, with whatever error, is that form's row", async () => {
    const open = openTimed(bySize);
    const failing: OpenSession = (opened, options) => {
      if (hasFloat16(opened)) throw new TypeError("x is not a function");
      return open(opened, options);
    };
    const result = await job(network(), { open: failing }).result;
    expect(outcomes(result).get("float16")).toMatchObject({
      accepted: false,
      reason: expect.stringContaining("defect of lithe: TypeError"),
    });
    expect(outcomes(result).get("cleaned")?.comparison).toBeDefined();
  });

  it("a form whose process dies while it is verified is refused, and the next one is taken", async () => {
    const open = openTimed(bySize);
    let [built, dies] = [0, 0];
    const chosenIn = 3;
    const dying: OpenSession = async (opened, options) => {
      if (hasFloat16(opened) && ++built > chosenIn) {
        dies++;
        throw new RuntimeError("the runtime ended");
      }
      return open(opened, options);
    };
    const result = await job(network(), { open: dying, store: onlyTrying("cleaned", "float16") }).result;
    expect(dies).toBe(1);
    expect(result.form).not.toBe("float16");
    expect(outcomes(result).get("float16")).toMatchObject({
      reason: expect.stringContaining("could not be verified: the runtime ended"),
    });
  });

  it("an original whose process dies ends the job with its error, whenever that is", async () => {
    let runs = 0;
    const original = network();
    const open = openTimed(bySize, (session) => async (feeds, options) => {
      if (++runs > 5) throw new RuntimeError("the runtime ended", { got: "SIGFPE" });
      return session.run(feeds, options);
    });
    const opened: OpenSession = (model, options) => (model === original ? open : openTimed(bySize))(model, options);
    await expect(job(original, { open: opened }).result).rejects.toThrow(/the runtime ended; got SIGFPE/);
  });

  it("returns the original itself when cleaning makes it slower", async () => {
    const original = network();
    const open = openTimed((opened) => (opened === original ? 1 : 2));
    const result = await job(original, { open }).result;
    expect(result).toMatchObject({ faster: false, form: "original" });
    expect(result.comparison.latency.spread[1]).toBeGreaterThanOrEqual(1);
  });

  it("hands out the cleaned model as a form of its own when it alone is faster", async () => {
    const original = network();
    const size = encodeModel(original).byteLength;
    const open = openTimed((opened) => {
      if (opened === original) return 2;
      return encodeModel(opened).byteLength > 0.8 * size ? 1 : 3;
    });
    const result = await job(original, { open }).result;
    expect(result).toMatchObject({ faster: true, form: "cleaned" });
  });

  it("rejects a form that holds on the samples that chose it and not on those that verify", async () => {
    const g = graphBuilder();
    const x = g.input("x", "float32", ["batch", 1]);
    const w = g.constant(
      "w",
      tensor(
        "float32",
        [1, 64],
        Float32Array.from({ length: 64 }, (_, i) => 1 + i * 2 ** -13),
      ),
    );
    g.output(g.op("MatMul", [x, w]), "scores");
    // −1 makes the first class win, also among equals; +1 the last, which fewer bits cannot tell from its neighbours.
    const evaluation = samples(16, 0, 1, (i) => Float32Array.of(i % 2 === 0 ? -1 : 1));
    const calibration = samples(4, 0, 1, (i) => Float32Array.of(i % 2 === 0 ? -1 : 1));
    const open = openTimed((opened) => (hasFloat16(opened) ? 1 : 2));
    const result = await job(model(g.build()), { open, evaluation, calibration }).result;
    expect(result.faster).toBe(false);
    expect(outcomes(result).get("float16")).toMatchObject({
      accepted: false,
      reason: expect.stringMatching(/^on the samples kept for verification: loses/),
      comparison: { agreement: { top1: 1 } },
    });
  });

  it("hands out what is slower only when size is the goal and a share is stated", async () => {
    const original = network();
    const open = openTimed((opened) => (opened === original ? 1 : 1.5));
    const result = await job(original, { open, goal: "size" }).result;
    expect(result).toMatchObject({ faster: false, form: "original" });
    const smaller = result.candidates.filter(({ comparison }) => comparison && comparison.size.ratio > 1.2);
    expect(smaller.length).toBeGreaterThan(0);
    for (const { reason } of smaller) expect(reason).toMatch(/^(slower|loses)/);

    const allowed = await job(original, { open, goal: "size", maxSlowdown: 0.5 }).result;
    expect(allowed.comparison.latency.ratio).toBeLessThan(1);
    expect(allowed.comparison.size.ratio).toBeGreaterThan(1.2);
    expect(() => job(original, { maxSlowdown: 0.5 })).toThrow(UsageError);
  });

  it("bounds accuracy where labels are given, not agreement", async () => {
    const labelled = async function* () {
      for await (const { feeds } of samples(16, 500)()) yield { feeds, labels: [3] };
    };
    const result = await job(network(), { evaluation: labelled, maxDrop: 0 }).result;
    expect(result.measure).toBe("accuracy lost");
    expect(result.comparison.accuracy).toMatchObject({ n: 8 });
    expect(result.comparison.accuracy!.b).toBeGreaterThanOrEqual(result.comparison.accuracy!.a);
  });

  it("rejects a form whose answers differ on another provider", async () => {
    const open = openTimed(bySize, (session) => async (feeds, options) => {
      const answers = await session.run(feeds, options);
      if (session.ep === "cpu") return answers;
      return new Map([...answers].map(([name, { dims }]) => [name, tensor("float32", dims, new Float32Array(5))]));
    });
    const result = await job(network(), { open, otherProviders: ["wasm"] }).result;
    expect(result.faster).toBe(false);
    expect(result.candidates.some(({ reason }) => reason.startsWith("answers differ on wasm"))).toBe(true);
    expect(result.providers).toMatchObject([{ ep: "wasm", status: "differs" }]);
  });

  it("stops when it is told to, and keeps nothing after that", async () => {
    const controller = new AbortController();
    const store = memoryStore();
    const run = job(network(), { store, signal: controller.signal });
    for await (const event of run) if (event.type === "candidate") controller.abort();
    await expect(run.result).rejects.toBeInstanceOf(CancelledError);
    expect([...store.kept.keys()]).toEqual(["cleaned"]);
  });

  it("stops while it reads the data", async () => {
    const controller = new AbortController();
    const evaluation: Batches = async function* () {
      for (let i = 0; ; i++) {
        if (i === 3) controller.abort();
        yield* samples(1, i)();
      }
    };
    const run = job(network(), { evaluation, signal: controller.signal });
    await expect(run.result).rejects.toBeInstanceOf(CancelledError);
  });

  it("lists as not tried what the budget has no time for, and says what budget would do", async () => {
    const options = { budgetSeconds: 1e-6, store: memoryStore(), otherProviders: ["wasm"] } as const;
    const result = await job(network(), options).result;
    expect(result).toMatchObject({ faster: false, form: "original", providers: [] });
    expect(result.candidates.length).toBeGreaterThan(5);
    for (const { reason } of result.candidates) expect(reason).toMatch(/^not tried: 70 % of the time budget/);
    expect(result.enoughSeconds).toBeGreaterThan(1);
    expect(result.warnings).toContainEqual({
      code: "W_BUDGET",
      message: expect.stringContaining(`about ${result.enoughSeconds} s are needed`),
    });
  });

  it("keeps the budget when runs are slow, with fewer samples, and says with how many", async () => {
    let time = 0;
    const seconds = 100;
    const runs = (session: Session): Session["run"] => {
      return async (feeds, options) => {
        time += 100;
        return session.run(feeds, options);
      };
    };
    const result = await job(network(), {
      open: openTimed(bySize, runs, (rounds) => {
        time += 100 * rounds;
      }),
      evaluation: samples(1000, 500),
      budgetSeconds: seconds,
      clock: () => time,
      otherProviders: ["wasm"],
      store: onlyTrying("cleaned", "float16", "dynamic int8", "weight-only 8-bit", "weight-only 4-bit"),
    }).result;
    expect(time / 1000).toBeLessThanOrEqual(1.2 * seconds);
    expect(result.faster).toBe(true);
    const { n } = result.comparison;
    expect(n).toBeGreaterThan(10);
    expect(n).toBeLessThan(500);
    expect(result.samples).toMatchObject({ verification: n, of: { selection: 500, verification: 500 } });
    const said = result.warnings.filter(({ code }) => code === "W_BUDGET").map(({ message }) => message);
    expect(said).toEqual([
      expect.stringMatching(/forms were chosen on \d+ or more of 500/),
      expect.stringContaining(`the result was verified on ${n} of 500`),
    ]);
    expect(result.enoughSeconds).toBeUndefined();
  });

  it("hands out nothing that the budget left no time to verify", async () => {
    let time = 0;
    let verifies = false;
    const run = job(network(), {
      open: openTimed(bySize),
      budgetSeconds: 100,
      clock: () => (verifies ? 101_000 : time++),
      store: {
        ...onlyTrying("cleaned", "float16"),
        keep: async (form) => {
          if (form === "float16") verifies = true;
        },
      },
    });
    const result = await run.result;
    expect(result).toMatchObject({ faster: false });
    expect(outcomes(result).get("float16")).toMatchObject({ reason: "not verified: the time budget ran out" });
  });

  it("tries what needs no calibration first", async () => {
    const { candidates } = await job(network(), { store: onlyTrying() }).result;
    const forms = candidates.map(({ form }) => form);
    const first = forms.findIndex((form) => form.startsWith("static"));
    expect(forms.slice(first).filter((form) => !form.startsWith("static"))).toEqual([]);
    expect(forms.slice(0, first)).toEqual(expect.arrayContaining(["float16", "dynamic int8", "weight-only 8-bit"]));
  });

  it("says when there are too few samples to verify on others than chose", async () => {
    const result = await job(network(), { evaluation: samples(4, 7) }).result;
    expect(result.samples).toMatchObject({ selection: 4, verification: 4, disjoint: false });
    expect(result.warnings).toContainEqual(expect.objectContaining({ code: "W_FEW_SAMPLES" }));
  });

  it("needs evaluation data", async () => {
    await expect(job(network(), { evaluation: samples(0, 0) }).result).rejects.toBeInstanceOf(DataError);
  });
});

describe("accelerate on models that are not plain float32 classifiers", () => {
  it("measures several outputs by the worst of them", async () => {
    const result = await job(network({ both: true })).result;
    expect(result.comparison.agreement.cosine).toBeGreaterThan(0.99);
    expect(outcomes(result).get("float16")?.comparison).toBeDefined();
  });

  it("measures outputs that are no scores by their cosine", async () => {
    const g = graphBuilder();
    const x = g.input("x", "float32", ["batch", 16]);
    const w = g.constant("w", tensor("float32", [16, 32], values(512, 1)));
    const shape = g.constant("shape", tensor("int64", [3], BigInt64Array.of(-1n, 4n, 8n)));
    g.output(g.op("Reshape", [g.op("MatMul", [x, w]), shape]), "picture");
    const result = await job(model(g.build())).result;
    expect(result.measure).toContain("cosine");
    expect(result.comparison.agreement.top1).toBeUndefined();
  });

  it("starts from float32 where the model is float16", async () => {
    const { model: half } = await convertFloat16().run(network());
    const result = await job(half, { open: openTimed(always) }).result;
    expect(outcomes(result).get("float32")?.comparison?.agreement.cosine).toBeGreaterThan(0.999);
  });

  it("ends sensibly on a model that is quantized already", async () => {
    const calibration = async function* () {
      for await (const { feeds } of samples(8, 100)()) yield feeds;
    };
    const { model: quantized } = await quantize(network(), {
      form: "static",
      open: openSession,
      calibration,
      weightBits: 7,
    });
    const result = await job(quantized, { open: openTimed(always) }).result;
    expect(result.faster).toBe(false);
    expect(result.comparison.agreement.top1).toBe(1);
  });
});

describe("the course of an acceleration", () => {
  afterEach(() => void vi.useRealTimers());

  const data = denseBatches(24);

  function course(options: Partial<AccelerateOptions>) {
    const original = twoLayers();
    return accelerate(original, {
      ...{ calibration: data, evaluation: data, ep: "cpu", threads: 1, maxDrop: 0.05, goal: "latency", seed: 1 },
      ...{ budgetSeconds: 600, otherProviders: [], originalBytes: encodeModel(original).byteLength },
      open: openTaking(() => 1),
      ...options,
    });
  }

  it.each([
    ["no faster", 1, ["where it pays, mse, second-order", "where it pays, percentile, second-order"]],
    [
      "faster",
      1.01,
      [
        "where it pays, mse, second-order",
        ...["mse, second-order", "percentile, second-order", "equalized, mse, second-order"],
        ...["min-max, second-order", "moving average, second-order", "entropy, second-order"],
      ],
    ],
  ])("tries careful roundings only where they may pay: int8 everywhere is %s", async (_, low, expected) => {
    const bytes = encodeModel(twoLayers());
    const store: CandidateStore = {
      load: async () => ({ comparison: finished([low, 2]), bytes }),
      keep: async () => {},
    };
    const { candidates, sensitivity } = await course({ store }).result;
    const quick = ["min-max", "percentile, bias-corrected"];
    const statics = candidates.flatMap(({ form }) => (form.startsWith("static int8") ? [form.slice(11)] : []));
    expect(statics.map((form) => form.replace(/^,? /, ""))).toEqual([...quick, ...expected]);
    expect(sensitivity.map(({ node }) => node).sort()).toEqual(["first", "second"]);
    for (const { divergence, keptFloat } of sensitivity) expect([divergence > 0, keptFloat]).toEqual([true, false]);
  });

  it.each<[string, Partial<AccelerateOptions>, () => Promise<7 | 8>]>([
    ["that are asked for", { weightBits: 7 }, async () => 7],
    ["that are exact on this processor", {}, async () => ((await cpuSaturates()) ? 7 : 8)],
    ["that are exact in a page", { ep: "wasm", weightBits: "auto" }, async () => 8],
    ["that saturate on this processor, which is said", { weightBits: 8 }, async () => 8],
  ])("gives weights the bits %s", async (_, options, bits) => {
    let largest = 0;
    const open: OpenSession = async (opened, how) => {
      for (const stored of opened.graph.initializers.values())
        if ("data" in stored && stored.dtype === "int8")
          largest = Math.max(largest, ...numbersOf(stored).map(Math.abs));
      return openTaking(() => 1)(opened, how);
    };
    const store = onlyTrying("static int8, min-max");
    const { candidates, warnings } = await course({ ...options, open, store }).result;
    expect(candidates.find(({ form }) => form === "static int8, min-max")?.comparison).toBeDefined();
    const expected = await bits();
    // 7 bits reach from −64 to 64, 8 bits from −127 to 127.
    expect(largest).toBe({ 7: 64, 8: 127 }[expected]);
    const isSaid = warnings.some(({ code }) => code === "W_SATURATION");
    expect(isSaid).toBe(options.weightBits === 8 && (await cpuSaturates()));
  });

  it("says what budget would do from what the data and one run took", async () => {
    vi.useFakeTimers({ toFake: ["performance"] });
    let time = 0;
    const open: OpenSession = async (...given) => {
      const session = await openTaking(() => 1)(...given);
      const run: Session["run"] = async (...fed) => {
        time += 100;
        return await session.run(...fed);
      };
      return { ...session, run };
    };
    const evaluation: Batches = async function* () {
      if (time === 0) time = 20_000;
      yield* data();
    };
    const options = { open, evaluation, budgetSeconds: 1, clock: () => time, store: memoryStore() };
    // Of 8 batches that are read 4 choose: a form takes 2 · 4 runs of 0.1 s and 1.5 times 24, so 4.4 s; (20 + 7 · 4.4) / 0.7 = 72.6, in tens.
    expect((await course(options).result).enoughSeconds).toBe(80);
  });
});
