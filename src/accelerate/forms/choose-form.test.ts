import { afterEach, describe, expect, it, vi } from "vitest";
import { denseFeeds, denseModel, dispatchModel, noise } from "../../../test/models.ts";
import { chromium, swiftshader } from "../../../test/swiftshader.ts";
import { CancelledError, UsageError } from "../../errors.ts";
import { editModel, graphBuilder, type Model, makeNode, model, tensor } from "../../ir/index.ts";
import type { raceLatency, Standing } from "../../measure/index.ts";
import { verdictOf } from "../../measure/verdict.ts";
import { openSession } from "../../runtime/index.ts";
import { chooseForm } from "./choose-form.ts";

/** Sessions are real; what is opened and released is noted. */
vi.mock("../../runtime/index.ts", async (original) => {
  const runtime = await original<typeof import("../../runtime/index.ts")>();
  const open: typeof runtime.openSession = async (...given) => {
    const session = await runtime.openSession(...given);
    vi.spyOn(session, "release");
    return session;
  };
  return { ...runtime, openSession: vi.fn(open) };
});

function standing(ratio: number, spread: readonly [number, number] = [ratio, ratio]): Standing {
  const time = 1 / ratio;
  const stats = { p50: time, p95: time, min: time, mean: time };
  return { ...stats, ratio, spread, verdict: verdictOf(spread), rounds: 1, inputs: 1, sessions: 1 };
}

/** A race with this outcome, which remembers how many ran. */
function race(...standings: Standing[]) {
  const runs: number[] = [];
  const run: typeof raceLatency = async (contenders) => {
    runs.push(contenders.length);
    return standings;
  };
  return { run, runs };
}

/** The same function in another file; with `factor` another one. */
function scaled(factor: number): Model {
  return editModel(denseModel(), (draft) => {
    const [output] = draft.graph.outputs;
    const raw = draft.value("raw", output!.type);
    const node = draft.nodes().at(-1)!;
    const by = draft.constant("by", tensor("float32", [1], [factor]));
    draft.replaceNode(node, { ...node, outputs: [raw] }, makeNode("Mul", [raw, by], [output!]));
  });
}

/** Loads nowhere. */
function unknown(): Model {
  const g = graphBuilder();
  g.output(g.unchecked("nobody::Imaginary", [g.input("x", "float32", [2, 4])], 1)[0], "y");
  return model(g.build(), { opsets: new Map([["", 21]]).set("nobody", 1) });
}

const plain = { name: "plain", model: denseModel() };
const other = { name: "other", model: scaled(1) };
const third = { name: "third", model: scaled(1) };

describe("the choice of a form", () => {
  it("is the fastest of those that answer alike, and rows say why others are not", async () => {
    const wrong = { name: "wrong", model: scaled(1.5) };
    const absent = { name: "absent", reason: "it has no such operator" };
    const broken = { name: "broken", model: unknown() };
    const { run, runs } = race(standing(1), standing(1.5), standing(3));
    const forms = [absent, plain, wrong, other, broken, third];
    const { choice, rows } = await chooseForm(forms, denseFeeds(), { race: run });
    expect(choice).toBe("third");
    expect(runs).toEqual([3]);
    expect(rows.map(({ name }) => name)).toEqual(forms.map(({ name }) => name));
    const reasons = new Map(rows.map(({ name, reason }) => [name, reason]));
    expect(reasons.get("absent")).toBe("it has no such operator");
    expect(reasons.get("wrong")).toMatch(/answers differ/);
    expect(reasons.get("broken")).toMatch(/\w/);
    for (const { name, measured, reason } of rows)
      expect([name, measured === undefined]).toEqual([name, reason !== undefined]);
    expect(rows.find(({ name }) => name === "wrong")!.difference).toBeCloseTo(0.5, 5);
  });

  it("stays with the first form unless another is certain to be faster", async () => {
    const { run } = race(standing(1), standing(2, [0.9, 3]), standing(0.5));
    expect((await chooseForm([plain, other, third], denseFeeds(), { race: run })).choice).toBe("plain");
    const sure = race(standing(1), standing(2, [0.9, 3]), standing(1.2, [1.1, 1.3]));
    expect((await chooseForm([plain, other, third], denseFeeds(), { race: sure.run })).choice).toBe("third");
  });

  it("takes what counts as equal from its caller", async () => {
    const { run, runs } = race(standing(1), standing(2));
    const near = { name: "near", model: scaled(1.01) };
    await chooseForm([plain, near], denseFeeds(), { race: run, tolerance: 0.1 });
    expect(runs).toEqual([2]);
  });

  it("takes what is equal, where nothing may differ", async () => {
    const { run, runs } = race(standing(1), standing(2));
    await chooseForm([plain, { name: "same", model: denseModel() }], denseFeeds(), { race: run, tolerance: 0 });
    expect(runs).toEqual([2]);
  });

  it("leaves no session open, whether a form runs, answers otherwise, or fails when it runs", async () => {
    vi.mocked(openSession).mockClear();
    const g = graphBuilder();
    const shape = g.constant("shape", tensor("int64", [1], BigInt64Array.of(7n)));
    g.output(g.op("Reshape", [g.input("x", "float32", ["batch", 4]), shape]), "y");
    const failing = { name: "failing", model: model(g.build()) };
    const forms = [plain, { name: "wrong", model: scaled(1.5) }, failing];
    const { rows } = await chooseForm(forms, denseFeeds(), { race: race(standing(1)).run });
    expect(rows.map(({ reason }) => reason !== undefined)).toEqual([false, true, true]);
    const sessions = await Promise.all(vi.mocked(openSession).mock.results.map(({ value }) => value));
    // One of each form, and two more of the one that runs.
    expect(sessions).toHaveLength(5);
    for (const { release } of sessions) expect(release).toHaveBeenCalled();
  });

  it("times sessions where nothing else is given", async () => {
    const { choice, rows } = await chooseForm([plain, other], denseFeeds(), { seconds: 0.1 });
    expect(["plain", "other"]).toContain(choice);
    for (const { measured } of rows) expect(measured!.p50).toBeGreaterThan(0);
  });

  it("refuses wrong use by name", async () => {
    await expect(chooseForm([plain, plain], denseFeeds())).rejects.toThrow(UsageError);
    await expect(chooseForm([{ name: "a", reason: "no" }], denseFeeds())).rejects.toThrow(/none of the forms runs/);
    await expect(chooseForm([plain], denseFeeds(), { signal: AbortSignal.abort() })).rejects.toThrow(CancelledError);
  });
});

describe.skipIf(!chromium || !swiftshader)("forms on webgpu [needs Chromium; CHROMIUM_PATH names one]", () => {
  afterEach(() => vi.unstubAllEnvs());

  it("are no forms that a page cannot load, whatever runs here", async () => {
    for (const [name, value] of Object.entries(swiftshader!)) vi.stubEnv(name, value);
    const forms = [
      { name: "double", model: dispatchModel() },
      { name: "single", model: dispatchModel("float32") },
    ];
    const feeds = new Map([["x", tensor("float32", [8, 4], noise(32))]]);
    const found = await chooseForm(forms, feeds, { session: { ep: "webgpu" }, race: race(standing(1)).run });
    expect(found.choice).toBe("single");
    expect(found.build).toMatch(/^onnxruntime-web .* in Chromium/);
    expect(found.rows[0]!.reason).toMatch(/Cast.*onnxruntime-web/s);
  });
});
