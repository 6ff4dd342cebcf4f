/** @file Places of exits: where all later work depends on one value, at equal parts of the work. */
import { describe, expect, it } from "vitest";
import { balancedPlaces, exitPlaces } from "../../src/conditional/index.ts";
import { random } from "../../src/data/index.ts";
import { UnsupportedError, UsageError } from "../../src/errors.ts";
import type { Model, Value } from "../../src/ir/index.ts";
import { type Layers, linear, network } from "../../src/nn/index.ts";

/** Layers of these widths: layer i costs w(i - 1) · w(i). */
function chain(widths: readonly number[]): Model {
  return network(random(1), (n) => {
    let y = n.input("x", "float32", ["batch", widths[0] ?? 1]);
    for (const [i, width] of widths.slice(1).entries()) y = n.relu(linear(n.scope(`layer${i}`), y, width));
    n.output(linear(n.scope("head"), y, 2), "logits");
  });
}

/** Residual layers over tokens, each of which reads the mask again. */
function masked(n: Layers): Value {
  const mask = n.cast(n.input("mask", "int64", ["batch", 5]), "float32");
  const bias = n.unsqueeze(n.mul(n.sub(mask, 1), 1e4), [1]);
  let y = n.input("tokens", "float32", ["batch", 5, 8]);
  for (let i = 0; i < 4; i++) {
    const own = n.scope(`layer${i}`);
    const scores = n.add(n.matmul(linear(own, y, 8), n.transpose(y, [0, 2, 1])), bias);
    y = n.add(y, n.matmul(n.softmax(scores, -1), y));
  }
  return linear(n.scope("head"), n.mean(y, [1]), 2);
}

describe("places of exits", () => {
  it("stand at equal parts of the work, not of the layers", () => {
    // Work: 64, then 8 · 8 four times, 8 · 32 = 256, 32 · 32 = 1024, head 64: 1664 in all.
    const found = balancedPlaces(chain([8, 8, 8, 8, 8, 8, 32, 32]), 1);
    expect(found.map(({ depth }) => depth)).toEqual([(5 * 64 + 256) / 1664]);
    const even = balancedPlaces(chain([8, 8, 8, 8, 8, 8, 8]), 2);
    expect(even.map(({ depth }) => Math.round(depth * 400))).toEqual([128, 256]);
  });

  it("are found though a mask is read by every layer", () => {
    const places = exitPlaces(network(random(1), (n) => n.output(masked(n), "logits")));
    // Behind the fourth there is the head alone.
    expect(places).toHaveLength(3);
    expect(places.map(({ value }) => value.type)).toEqual(
      places.map(() => ({ kind: "tensor", dtype: "float32", dims: ["batch", 5, 8] })),
    );
  });

  it("are refused with what was looked for", () => {
    const flat = network(random(1), (n) => n.output(linear(n, n.input("x", "float32", ["batch", 4]), 2), "y"));
    expect(() => balancedPlaces(flat, 1)).toThrow(UnsupportedError);
    expect(() => balancedPlaces(chain([8, 8, 8]), 5)).toThrow(UsageError);
    expect(() => balancedPlaces(chain([8, 8, 8]), 5)).toThrow(/1 to 2/);
  });
});
