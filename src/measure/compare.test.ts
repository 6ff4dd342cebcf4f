import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { convolutionModel, denseFeeds, denseModel, dispatchModel, noise } from "../../test/models.ts";
import { chromium, swiftshader } from "../../test/swiftshader.ts";
import { type Model, tensor } from "../ir/index.ts";
import { openSession } from "../runtime/index.ts";
import { type Comparison, compareSessions } from "./compare.ts";

/** A model with itself on webgpu, in the layout that lithe's own sessions have; `model` is what compareSessions is told of B. */
async function compared(tried: Model, dims: readonly number[], model: Model | undefined): Promise<Comparison> {
  await using a = await openSession(tried, { ep: "webgpu" });
  await using b = await openSession(tried, { ep: "webgpu" });
  const size = dims.reduce((product, dim) => product * dim, 1);
  const feeds = new Map([["x", tensor("float32", dims, noise(size))]]);
  const right = { session: b, bytes: 1, ...(model && { model }) };
  return await compareSessions({ session: a, bytes: 1 }, right, {
    ...{ threads: 1, batch: 1, feeds, rounds: 1 },
    batches: [{ feeds }],
  });
}

it("a comparison ends at its deadline: agreement keeps time for the rounds, of which there is one at least", async () => {
  await using a = await openSession(denseModel());
  let time = 0;
  const batches = function* () {
    for (let i = 0; i < 100; i++) {
      time += 1000;
      yield { feeds: denseFeeds(1, i) };
    }
  };
  const until = async (seconds: number) => {
    time = 0;
    const options = { threads: 1, batch: 1, feeds: denseFeeds(1, 0), rounds: 3, slot: 0, seconds: 10 };
    const deadline = { left: () => seconds * 1000 - time };
    const side = { session: a, bytes: 1 };
    const { agreement, latency } = await compareSessions(side, side, { ...options, batches: batches(), deadline });
    return [agreement.n, latency.rounds];
  };
  expect(await until(1000)).toEqual([100, 3]);
  expect(await until(40)).toEqual([29, 3]);
  expect(await until(8)).toEqual([3, 3]);
  expect(await until(0)).toEqual([1, 1]);
});

describe.skipIf(!chromium || !swiftshader)("a comparison on webgpu [needs Chromium; CHROMIUM_PATH names one]", () => {
  beforeAll(() => {
    for (const [name, value] of Object.entries(swiftshader!)) vi.stubEnv(name, value);
  });
  afterAll(() => vi.unstubAllEnvs());

  const page = /^onnxruntime-web \d.* in Chromium \d+, adapter \w/;

  it("has B's answers from a page, and the times from here", async () => {
    const good = convolutionModel(8);
    const { agreement, latency } = await compared(good, [1, 8, 8, 8], good);
    expect(agreement.build).toMatch(page);
    expect(agreement.relative).toBeLessThan(1e-5);
    expect(latency).toMatchObject({ ep: "webgpu", b: { p50: expect.any(Number) } });
  });

  it("sees what a page computes wrongly; without the model the sessions agree, and the build says whose they are", async () => {
    const wrong = convolutionModel(6);
    const blind = await compared(wrong, [1, 6, 8, 8], undefined);
    expect(blind.agreement).toMatchObject({ relative: 0, build: expect.stringMatching(/^onnxruntime-node \d/) });
    const { agreement } = await compared(wrong, [1, 6, 8, 8], wrong);
    expect(agreement.build).toMatch(page);
    expect(agreement.maxAbs).toBeGreaterThan(0.5);
  });

  it("fails with the build's name for what a page cannot load", async () => {
    const dispatch = dispatchModel();
    const failed = await compared(dispatch, [8, 4], dispatch).catch((error: unknown) => error);
    expect(String(failed)).toMatch(/RuntimeError: .*Cast.*step "comparing in onnxruntime-web/s);
  });

  it("is judged here without a browser, and says so", async () => {
    vi.stubEnv("CHROMIUM_PATH", "");
    const good = convolutionModel(8);
    const { agreement } = await compared(good, [1, 8, 8, 8], good);
    expect(agreement.build).toMatch(/^onnxruntime-node .*, not the web build: no Chromium was found$/);
  });
});
