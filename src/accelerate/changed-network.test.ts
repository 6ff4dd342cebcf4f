import { describe, expect, it } from "vitest";
import { noise } from "../../test/models.ts";
import { twoLayers } from "../../test/small-context.ts";
import { denseBatches, openTaking } from "../../test/small-job.ts";
import { CancelledError, UsageError } from "../errors.ts";
import { graphBuilder, type Model, model, tensor } from "../ir/index.ts";
import { encodeModel } from "../onnx/index.ts";
import { accelerate } from "./accelerate.ts";
import type { Step } from "./chain.ts";
import type { AccelerateOptions, CandidateStore } from "./options.ts";
import type { Accelerated } from "./result.ts";

/** As `twoLayers` with half of the hidden units, and other answers. */
function narrow(): Model {
  const g = graphBuilder();
  const first = g.constant("w1", tensor("float32", [4, 4], noise(16, 5)));
  const second = g.constant("w2", tensor("float32", [4, 3], noise(12, 6)));
  const hidden = g.op("Relu", [g.op("MatMul", [g.input("x", "float32", ["batch", 4]), first], {}, { name: "first" })]);
  g.output(g.op("MatMul", [hidden, second], {}, { name: "second" }), "y");
  return model(g.build());
}

const bySize = (opened: Model): number => encodeModel(opened).byteLength;

/** Steps that count how often they are taken. */
function steps() {
  const taken: string[] = [];
  const step = (name: string, trains: boolean, apply: Step["apply"]): Step => ({
    name,
    trains,
    apply(before, signal) {
      taken.push(name);
      return apply(before, signal);
    },
  });
  return {
    taken,
    halve: step("halve", false, async () => narrow()),
    recover: step("recover 1 epoch", true, async (before) => before),
    failing: (error: Error) => step("fail", true, () => Promise.reject(error)),
  };
}

/** Forms that are tried; all others are finished, and slow. */
function onlyTrying(...forms: readonly string[]): CandidateStore {
  const times = { p50: 1, p95: 1, min: 1, mean: 1 };
  const comparison = {
    ...{ n: 1, size: { a: 1, b: 1, ratio: 1 }, warnings: [] },
    latency: {
      ep: "cpu",
      threads: 1,
      batch: 1,
      a: times,
      b: times,
      rounds: 30,
      sessions: 3,
      ratio: 0.5,
      spread: [0.5, 0.5],
    },
    agreement: { n: 1, maxAbs: 0, relative: 0, cosine: 1, lost: 0, perOutput: [], missing: [], build: "none" },
  } as unknown as Accelerated["comparison"];
  return {
    load: async (form) => (forms.includes(form) ? undefined : { comparison, bytes: new Uint8Array() }),
    keep: async () => undefined,
  };
}

function accelerated(chains: readonly (readonly Step[])[], options: Partial<AccelerateOptions> = {}) {
  const original = twoLayers();
  const data = denseBatches(24);
  return accelerate(original, {
    ...{ calibration: data, evaluation: data, ep: "cpu", threads: 1, maxDrop: 1, goal: "latency", seed: 1 },
    ...{ budgetSeconds: 600, weightBits: 8, otherProviders: [], originalBytes: encodeModel(original).byteLength },
    open: openTaking(bySize),
    changes: { from: original, chains },
    ...options,
  }).result;
}

const row = ({ candidates }: Accelerated, form: string) => candidates.find((candidate) => candidate.form === form);

describe("a chain", () => {
  it("is tried as it is and in every form, its network made once, and named by its steps where it wins", async () => {
    const { taken, halve, recover } = steps();
    const [network, half] = ["halve → recover 1 epoch", "halve → recover 1 epoch → float16"];
    const store = onlyTrying("cleaned", "float16", network, half, `${network} → static int8, min-max`);
    const result = await accelerated([[halve, recover]], { store });
    expect(taken).toEqual(["halve", "recover 1 epoch"]);
    expect(row(result, network)).toMatchObject({ accepted: true });
    for (const form of [half, `${network} → static int8, min-max`]) expect(row(result, form)!.comparison!.n).toBe(24);
    const order = [
      "weight-only 4-bit",
      network,
      `${network} → float16`,
      "static int8 where it pays, mse, second-order",
    ];
    const forms = result.candidates.map(({ form }) => form).filter((form) => order.includes(form));
    expect(forms).toEqual(order);
    expect(result.form.startsWith(network)).toBe(true);
    expect(result).toMatchObject({ faster: true, steps: ["halve", "recover 1 epoch"] });
    expect(row(result, half)!.comparison!.size.b).toBeLessThan(row(result, "float16")!.comparison!.size.b);
  });

  it("shares its beginning with others", async () => {
    const { taken, halve, recover } = steps();
    const store = onlyTrying("halve", "halve → recover 1 epoch");
    await accelerated([[halve], [halve, recover]], { store });
    expect(taken).toEqual(["halve", "recover 1 epoch"]);
  });

  it("is held to the numbers of the original where nothing trained it, and to the bound in any case", async () => {
    const { halve, recover } = steps();
    const store = onlyTrying("halve", "halve → recover 1 epoch");
    const result = await accelerated([[halve], [halve, recover]], { store });
    expect(row(result, "halve")!.reason).toMatch(/computes something else.*relative error/);
    expect(row(result, "halve → recover 1 epoch")).toMatchObject({ accepted: true });
    const strict = await accelerated([[halve, recover]], { store, maxDrop: 0 });
    expect(row(strict, "halve → recover 1 epoch")!.reason).toMatch(/more than the bound/);
    expect(strict.steps).toBeUndefined();
    expect(strict.candidates.filter(({ form }) => form.startsWith("halve"))).toHaveLength(1);
  });

  it("that fails, or is not finished, is its row, and the others are tried", async () => {
    const { halve, recover, failing } = steps();
    const store = onlyTrying("fail", "halve → fail", "halve → recover 1 epoch");
    const broken = failing(new UsageError("the loss is no number"));
    const late = failing(new CancelledError("the run was cancelled"));
    const result = await accelerated([[broken], [halve, late], [halve, recover]], { store });
    expect(row(result, "fail")!.reason).toContain("the loss is no number");
    expect(row(result, "halve → fail")!.reason).toBe("not finished: the time budget ran out");
    expect(row(result, "halve → recover 1 epoch")).toMatchObject({ accepted: true });
  });

  it("that an interrupted run had measured is made again for its forms alone, and left where that fails", async () => {
    const { taken, halve, recover, failing } = steps();
    const half = "halve → recover 1 epoch → float16";
    const result = await accelerated([[halve, recover]], { store: onlyTrying(half) });
    expect(taken).toEqual(["halve", "recover 1 epoch"]);
    expect(row(result, half)!.comparison!.n).toBe(24);
    const lost = await accelerated([[failing(new CancelledError("no time"))]], { store: onlyTrying() });
    expect(lost.warnings).toContainEqual({
      code: "W_NETWORK",
      message: "no forms of fail are tried: the time budget ran out",
    });
  });
});
