import { describe, expect, it } from "vitest";
import { UsageError } from "../errors.ts";
import { resolveOptions } from "./options.ts";
import { sessionOptions } from "./ort-options.ts";

describe("resolveOptions", () => {
  it("fills in every default", () => {
    expect(resolveOptions({})).toMatchObject({
      ep: "cpu",
      threads: 1,
      optimization: "all",
      isolate: undefined,
      stock: false,
    });
  });

  it.each([
    { executionProviders: ["cpu"] },
    { ep: "cuda" },
    { threads: 0 },
    { threads: 1.5 },
    { optimization: "max" },
    { isolate: "vm" },
    { config: new Map([["session.x64quantprecison", "1"]]) },
    { config: new Map([["session.x64quantprecision", 1]]) },
    { limits: { memory: 1e9 }, isolate: "thread" },
    { limits: { memory: -1 }, isolate: "process" },
    { limits: { disk: 1 }, isolate: "process" },
  ])("refuses %o", (options) => {
    expect(() => resolveOptions(options as object)).toThrow(UsageError);
  });
});

describe("sessionOptions", () => {
  const spec = {
    model: new Uint8Array(),
    external: [],
    ep: "cpu",
    threads: 2,
    optimization: "basic",
    profile: false,
    config: [],
    cpuNodes: [],
    resident: [],
  } as const;

  it("nests dotted entries", () => {
    const config = [
      ["session.intra_op.allow_spinning", "0"],
      ["session.x64quantprecision", "1"],
    ] as const;
    expect(sessionOptions({ ...spec, config }).extra).toEqual({
      session: { intra_op: { allow_spinning: "0" }, x64quantprecision: "1" },
    });
  });

  it("passes on a layout for WebGPU, and names the nodes that stay on the CPU", () => {
    const gpu = sessionOptions({ ...spec, ep: "webgpu", layout: "NCHW", cpuNodes: ["pool"] });
    expect(gpu.executionProviders).toEqual([{ name: "webgpu", preferredLayout: "NCHW", forceCpuNodeNames: ["pool"] }]);
    expect(sessionOptions({ ...spec, ep: "webgpu" }).executionProviders).toEqual([{ name: "webgpu" }]);
  });
});
