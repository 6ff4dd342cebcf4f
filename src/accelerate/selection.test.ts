import { describe, expect, it } from "vitest";
import { denseBatches, openTaking, smallJob } from "../../test/small-job.ts";
import { RuntimeError } from "../errors.ts";
import { numbersOf, tensorFromNumbers } from "../ir/index.ts";
import { encodeModel } from "../onnx/index.ts";
import type { OpenSession } from "../runtime/index.ts";
import { divideSamples } from "./samples.ts";
import { keptInFloat, selectResult } from "./selection.ts";
import { type Job, searchForms, type Tried } from "./trial.ts";

const open = openTaking(() => 1);

/** Sessions that answer otherwise, or not at all, on wasm. */
function elsewhere(run: "otherwise" | "never"): OpenSession {
  return async (model, options) => {
    const session = await open(model, options);
    if (options?.ep !== "wasm") return session;
    if (run === "never") throw new RuntimeError("no such kernel");
    const differing: typeof session.run = async (...given) => {
      const answers = await session.run(...given);
      return new Map(
        [...answers].map(([name, { dims, ...answer }]) => {
          const numbers = numbersOf({ dims, ...answer }).map((value) => 1 - value);
          return [name, tensorFromNumbers("float32", dims, numbers)];
        }),
      );
    };
    return { ...session, run: differing };
  };
}

const wasm = { otherProviders: ["wasm"] } as const;

describe("where no form is faster", () => {
  it("the cleaned model is the result, which may lose as much as the bound says and agrees on other providers", async () => {
    const { job } = await smallJob({ ...wasm, maxDrop: 0 });
    const result = await selectResult(job, { ...job.model }, []);
    expect(result).toMatchObject({ form: "cleaned", faster: false, providers: [{ ep: "wasm", status: "agrees" }] });
    expect(result.stages.map(({ name }) => name)).toEqual(["verify cleaned", "providers"]);
  });

  it("counts the samples that chose and those that verified", async () => {
    const { signal } = new AbortController();
    const data = denseBatches(9);
    const { job } = await smallJob({}, { samples: await divideSamples(data, data, signal) });
    await searchForms(job, [{ form: "form", family: "family", build: async () => job.model }]);
    const { samples } = await selectResult(job, { ...job.model }, []);
    // 5 and 4 batches of two.
    expect(samples).toEqual({
      ...{ selection: 10, verification: 8, disjoint: true },
      of: { selection: 10, verification: 8 },
    });
  });

  it.each([
    ["otherwise", /^the original itself answers otherwise on wasm: /],
    ["never", /^the original itself fails on wasm: .*no such kernel/],
  ] as const)("and providers answer %s, the original is the result with a warning", async (run, message) => {
    const { job } = await smallJob(wasm, { open: elsewhere(run) });
    const result = await selectResult(job, { ...job.model }, []);
    expect(result).toMatchObject({ form: "original", faster: false });
    expect(job.journal.results.get("cleaned")!.reason).toMatch(/^answers differ on wasm: /);
    expect(result.warnings).toEqual([{ code: "W_PROVIDER", message: expect.stringMatching(message) }]);
  });

  it("and the model was not cleaned, the original is the result, and providers that agree are no warning", async () => {
    const { job } = await smallJob(wasm);
    const result = await selectResult(job, job.model, []);
    expect(result).toMatchObject({ form: "original", warnings: [], providers: [{ status: "agrees" }] });
    expect(Buffer.compare(result.bytes, encodeModel(job.model))).toBe(0);
  });
});

it("the layers that stay in float are those of the best form that may be handed out", async () => {
  const tried = (form: string, latencyRatio: number, exclude?: readonly string[]): Tried =>
    ({
      candidate: { form, static: exclude && { exclude } },
      figures: { form, latencyRatio, sizeRatio: 2, drop: 0, latencySpread: [latencyRatio, latencyRatio] },
      ...(latencyRatio > 1 && { bytes: new Uint8Array() }),
    }) as unknown as Tried;
  const { job } = await smallJob();
  const kept = (...of: Tried[]) => [...keptInFloat({ ...job, tried: of } as Job)];
  expect(kept(tried("good", 2, ["a"]), tried("best", 3, ["b", "c"]), tried("slow", 0.5, ["d"]))).toEqual(["b", "c"]);
  expect(kept(tried("best", 3), tried("good", 2, ["a"]))).toEqual([]);
  expect(kept()).toEqual([]);
});
