import { expect, it } from "vitest";
import { graphBuilder, type Model, model, tensor } from "../ir/index.ts";
import { type Feeds, openSession } from "../runtime/index.ts";
import { sensitivity } from "./sensitivity.ts";

const filled = (dims: readonly number[], seed: number) =>
  tensor(
    "float32",
    dims,
    Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(seed + 78.233 * i)),
  );

/** Two layers; what stands between them is an output too. */
function network(order: readonly ("hidden" | "logits")[]): Model {
  const g = graphBuilder();
  const x = g.input("x", "float32", ["batch", 16]);
  const hidden = g.op("MatMul", [x, g.constant("first_w", filled([16, 16], 1))], {}, { name: "first" });
  const active = g.op("Relu", [hidden]);
  const logits = g.op("MatMul", [active, g.constant("second_w", filled([16, 16], 2))], {}, { name: "second" });
  for (const name of order) g.output(name === "hidden" ? active : logits, name);
  return model(g.build());
}

async function* calibration(): AsyncGenerator<Feeds> {
  yield new Map([["x", filled([8, 16], 3)]]);
}

it("looks at every output, in whichever order they stand", async () => {
  const found = await sensitivity(network(["hidden", "logits"]), { open: openSession, calibration });
  const turned = await sensitivity(network(["logits", "hidden"]), { open: openSession, calibration });
  expect(found.map(({ node }) => node).sort()).toEqual(["first", "second"]);
  for (const { node, divergence } of found) {
    expect(divergence, node).toBeGreaterThan(0);
    expect(turned.find((other) => other.node === node)!.divergence).toBeCloseTo(divergence, 10);
  }
});
