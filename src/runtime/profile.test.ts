import { expect, it } from "vitest";
import { RuntimeError } from "../errors.ts";
import { nodeTimes } from "./profile.ts";

const event = (name: string, dur: number, op: string): object => ({
  cat: "Node",
  name,
  dur,
  args: { op_name: op, provider: "CPUExecutionProvider" },
});

it("sums kernel times by node, slowest first", () => {
  const events = [
    { cat: "Session", name: "model_run", dur: 99 },
    event("a_fence_before", 7, "Add"),
    event("a_kernel_time", 1, "Add"),
    event("b_kernel_time", 5, "Conv"),
    event("a_kernel_time", 2, "Add"),
  ];
  expect(nodeTimes(JSON.stringify(events))).toEqual([
    { name: "b", opType: "Conv", provider: "CPUExecutionProvider", calls: 1, micros: 5 },
    { name: "a", opType: "Add", provider: "CPUExecutionProvider", calls: 2, micros: 3 },
  ]);
});

it("refuses what is no list", () => {
  expect(() => nodeTimes("{}")).toThrow(RuntimeError);
});
