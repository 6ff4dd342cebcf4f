import { afterEach, describe, expect, it, vi } from "vitest";
import { convolutionModel, denseFeeds, denseModel, dispatchModel } from "../../test/models.ts";
import { denseBatches, openTaking } from "../../test/small-job.ts";
import { chromium, swiftshader } from "../../test/swiftshader.ts";
import { type Model, tensor } from "../ir/index.ts";
import { type OpenSession, openSession } from "../runtime/index.ts";
import { miscomputedConvolution } from "../runtime/rules/miscomputed-convolution.ts";
import { agreementElsewhere } from "./providers.ts";
import type { ProviderResult } from "./result.ts";

const options = { ep: "cpu", threads: 1, otherProviders: ["webgpu"] } as const;

async function verdict(made: Model, dims: readonly number[]): Promise<ProviderResult> {
  const size = dims.reduce((a, b) => a * b, 1);
  const x = tensor(
    "float32",
    dims,
    Float32Array.from({ length: size }, (_, i) => Math.cos(i * i)),
  );
  async function* batches() {
    yield { feeds: new Map([["x", x]]) };
  }
  const samples = { verification: batches };
  const [result] = await agreementElsewhere(openSession, made, samples, options);
  return result!;
}

describe.skipIf(!chromium)("a verdict on webgpu in the web build [needs Chromium; CHROMIUM_PATH names one]", () => {
  it("finds a good model good, and names the build", async () => {
    const found = await verdict(convolutionModel(8), [1, 8, 8, 8]);
    expect(found).toMatchObject({ ep: "webgpu", status: "agrees" });
    expect(found.build).toMatch(/^onnxruntime-web \d+\.\d+\.\d+ in Chromium \d+, adapter \w/);
  });

  it("finds a convolution that the default layout computes wrongly, by its values", async () => {
    const wrong = convolutionModel(6);
    expect(miscomputedConvolution(wrong)?.channels).toBe(6);
    const { status, agreement } = await verdict(wrong, [1, 6, 8, 8]);
    expect(status).toBe("differs");
    expect(agreement!.maxAbs).toBeGreaterThan(0.5);
  });

  it("refuses a dispatch in float64", async () => {
    const found = await verdict(dispatchModel(), [8, 4]);
    expect(found).toMatchObject({ status: "failed" });
    expect(found.build).toMatch(/^onnxruntime-web/);
    expect(found.reason).toMatch(/Cast/);
  });
});

it("a verdict after the deadline rests on one batch", async () => {
  async function* batches() {
    for (let i = 0; i < 9; i++) yield { feeds: denseFeeds(2, i) };
  }
  const n = async (left: number) => {
    const given = { ep: "cpu", threads: 1, otherProviders: ["wasm"], deadline: { left: () => left } } as const;
    const [found] = await agreementElsewhere(openSession, denseModel(), { verification: batches }, given);
    return found!.agreement?.n;
  };
  expect([await n(1), await n(0)]).toEqual([18, 2]);
});

describe("a verdict on another provider", () => {
  afterEach(() => void vi.useRealTimers());

  const reference = openTaking(() => 1);
  const onWasm = { ep: "cpu", threads: 1, otherProviders: ["wasm"] } as const;

  it("opens no session where there is no other", async () => {
    const open: OpenSession = () => Promise.reject(new Error("opened"));
    const alone = { ...onWasm, otherProviders: ["cpu"] } as const;
    expect(await agreementElsewhere(open, denseModel(), { verification: denseBatches(1) }, alone)).toEqual([]);
  });

  it.each<[number, string, RegExp]>([
    // 1.4e-3 / √(2 · 50) and about as much / √(2 · 20).
    [50, "agrees", /^relative error 1\.4e-4, bound 0\.02$/],
    [20, "differs", /^other answers to 5\.00 %, bound 2\.00 %$/],
  ])("on %i samples of which one has another class %s", async (count, status, reason) => {
    const open: OpenSession = async (model, options) => {
      const first = options?.ep === "wasm" ? [1.001, 1] : [1, 1.001];
      const scores = [...first, ...Array.from({ length: count - 1 }, () => [1, 1.001]).flat()];
      const run = async () => new Map([["y", tensor("float32", [count, 2], scores)]]);
      return { ...(await reference(model, options)), run };
    };
    async function* batches() {
      yield { feeds: denseFeeds(count) };
    }
    const found = await agreementElsewhere(open, denseModel(), { verification: batches }, onWasm);
    expect(found).toMatchObject([{ ep: "wasm", status, reason: expect.stringMatching(reason) }]);
  });

  it.each([
    ["24 batches", 0, 24],
    ["4 batches where reading is slow", 4000, 4],
    ["4 batches where reading is very slow", 11_000, 4],
  ])("rests on %s at most", async (_, milliseconds, most) => {
    vi.useFakeTimers({ toFake: ["performance"] });
    async function* slow() {
      for await (const batch of denseBatches(30)()) {
        vi.advanceTimersByTime(milliseconds);
        yield batch;
      }
    }
    const found = await agreementElsewhere(reference, denseModel(), { verification: slow }, onWasm);
    expect(found).toMatchObject([{ status: "agrees", agreement: { n: 2 * most } }]);
  });
});

describe("a verdict on webgpu without a browser", () => {
  afterEach(() => vi.unstubAllEnvs());

  it("is that of Node's build, and says so", async () => {
    vi.stubEnv("CHROMIUM_PATH", "");
    for (const [name, value] of Object.entries(swiftshader ?? {})) vi.stubEnv(name, value);
    const { build } = await verdict(convolutionModel(8), [1, 8, 8, 8]);
    expect(build).toMatch(/^onnxruntime-node .*, not the web build: no Chromium was found$/);
  });
});
