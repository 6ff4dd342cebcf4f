/** @file Soft mixtures of experts: the formula as numpy has it, sample by sample, and slots that do not grow with the batch. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { type Expert, moeLayer, softSlots } from "../../src/conditional/index.ts";
import { random } from "../../src/data/index.ts";
import { UsageError } from "../../src/errors.ts";
import { type Model, numbersOf, tensorFromNumbers } from "../../src/ir/index.ts";
import { network } from "../../src/nn/index.ts";
import { evaluate } from "../../src/reference/index.ts";
import { openSession } from "../../src/runtime/index.ts";

interface Recorded {
  readonly samples: number;
  readonly tokens: number;
  readonly width: number;
  readonly experts: number;
  readonly slots: number;
  readonly scale: number;
  readonly x: readonly number[];
  readonly phi: readonly number[];
  readonly weights: readonly (readonly number[])[];
  readonly y: readonly number[];
}

const recorded: Recorded = JSON.parse(
  readFileSync(new URL("../fixtures/mixtures/soft-slots.json", import.meta.url), "utf8"),
);
const { samples, tokens, width, experts, slots } = recorded;

/** With the numbers of the fixture; `sent` gets the dims of what the experts see. */
function mixture(batch: number | string, sent: unknown[] = []): Model {
  const expert: Expert = (n, rows, index) => {
    if (rows.type?.kind === "tensor") sent.push(rows.type.dims);
    const given = recorded.weights[index]!;
    return n.op("Tanh", [
      n.op("MatMul", [rows, n.parameter("weight", [width, width], () => Float32Array.from(given))]),
    ]);
  };
  const model = network(random(1), (n) => {
    const x = n.input("x", "float32", [batch, tokens, width]);
    n.output(moeLayer(n.scope("moe"), x, { gate: softSlots({ slots }), expert, experts }), "y");
  });
  const numbers = new Map<string, readonly number[]>([
    ["moe/gate/weight", recorded.phi],
    ["moe/gate/scale", [recorded.scale]],
  ]);
  const initializers = [...model.graph.initializers].map(([value, data]) => {
    const given = numbers.get(value.name);
    numbers.delete(value.name);
    return [value, given ? tensorFromNumbers("float32", data.dims, given) : data] as const;
  });
  expect([...numbers.keys()]).toEqual([]);
  return { ...model, graph: { ...model.graph, initializers: new Map(initializers) } };
}

const feeds = new Map([["x", tensorFromNumbers("float32", [samples, tokens, width], recorded.x)]]);

describe("soft slots", () => {
  it("are the formula of the paper for every sample of a batch", () => {
    const y = evaluate(mixture("batch"), feeds).get("y")!;
    expect(y.dims).toEqual([samples, tokens, width]);
    numbersOf(y).forEach((value, i) => void expect(value).toBeCloseTo(recorded.y[i]!, 9));
  });

  it("are so on ONNX Runtime", async () => {
    await using session = await openSession(mixture("batch"));
    const y = (await session.run(feeds, { fetches: ["y"] })).get("y")!;
    numbersOf(y).forEach((value, i) => void expect(value).toBeCloseTo(recorded.y[i]!, 5));
  });

  it("are as many for every sample, whatever the batch", () => {
    for (const batch of [1, 4]) {
      const sent: unknown[] = [];
      mixture(batch, sent);
      expect(sent.slice(-experts)).toEqual(new Array(experts).fill([batch * slots, width]));
    }
  });

  it("are refused for rows that are no vectors", () => {
    const build = () =>
      network(random(1), (n) => {
        const x = n.input("x", "float32", ["batch", tokens, width]);
        n.output(moeLayer(n, x, { gate: softSlots(), expert: (_, rows) => rows, experts: 2, per: "sample" }), "y");
      });
    expect(build).toThrow(UsageError);
  });
});
