import { describe, expect, it } from "vitest";
import { plainSource } from "../../../test/branch-networks.ts";
import { moons, options } from "../../../test/moons.ts";
import { isSparse, type Model, numbersOf } from "../../ir/index.ts";
import { binaryConnect, linear, network, uniform } from "../../nn/index.ts";
import { openReference } from "../../runtime/reference.ts";
import { type Algorithm, fit, withinClips } from "../index.ts";

/** Two layers, of which the first has weights of two levels. */
function binaryNet(): Model {
  return network(plainSource(), (n) => {
    const x = n.input("x", "float32", ["batch", 2]);
    const hidden = n.relu(linear(n.scope("hidden"), x, 16, { levels: binaryConnect(), weight: uniform(1) }));
    n.output(linear(n.scope("head"), hidden, 2, { weight: uniform(1.5) }), "logits");
  });
}

async function largest(algorithms: readonly Algorithm[]): Promise<Record<string, number>> {
  const { average: _, ...usual } = options();
  const run = fit(binaryNet(), {
    ...usual,
    data: moons(32, 1),
    epochs: 3,
    learningRate: 0.3,
    algorithms,
    open: openReference,
  });
  const { graph } = (await run.result).model;
  const magnitude = (data: number[]) => Math.max(...data.map(Math.abs));
  return Object.fromEntries(
    [...graph.initializers].flatMap(([{ name }, data]) =>
      isSparse(data) || !name.endsWith("weight") ? [] : [[name, magnitude([...numbersOf(data)])]],
    ),
  );
}

describe("withinClips", () => {
  it("keeps parameters where the network reads them unclipped, and leaves the others", async () => {
    const [free, kept] = [await largest([]), await largest([withinClips()])];
    expect(free["hidden/weight"]).toBeGreaterThan(1.05);
    expect(kept["hidden/weight"]).toBe(1);
    expect(kept["head/weight"]).toBeGreaterThan(1);
  });
});
