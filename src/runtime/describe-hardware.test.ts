import { expect, it } from "vitest";
import { describeHardware, probeProviders } from "./describe-hardware.ts";

it("tells the machine and the installed runtimes", async () => {
  const { cores, memory, node, runtimes } = await describeHardware();
  expect(cores).toBeGreaterThan(0);
  expect(memory).toBeGreaterThan(2 ** 28);
  expect(node).toBe(process.versions.node);
  expect([...runtimes.keys()]).toEqual(["onnxruntime-node", "onnxruntime-web", "onnxruntime-common"]);
});

it("tries every provider, and says why one does not work", async () => {
  const states = await probeProviders();
  expect(states.get("cpu")).toEqual({ works: true });
  expect(states.get("wasm")).toEqual({ works: true });
  const gpu = states.get("webgpu")!;
  expect(gpu.works || gpu.reason.length > 0).toBe(true);
});
