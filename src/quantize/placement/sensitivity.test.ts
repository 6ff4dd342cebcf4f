import { describe, expect, it } from "vitest";
import { floatsOf, graphBuilder, type Model, model, tensor } from "../../ir/index.ts";
import { type Feeds, openSession } from "../../runtime/index.ts";
import { divergenceOf, sensitivity } from "./sensitivity.ts";

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

describe("a divergence", () => {
  const rows = (...values: number[][]) => tensor("float32", [values.length, values[0]!.length], values.flat());
  const ln3 = Math.log(3);

  it("of scores is KL(softmax(p) ‖ softmax(q)) in the mean over all rows, whatever the batches", () => {
    // (1/4, 3/4) against (1/2, 1/2): ¼ ln ½ + ¾ ln 3⁄2; the other way round ½ ln 2 + ½ ln ⅔. Equal scores are no distance apart.
    const [uneven, even] = [
      [0, ln3],
      [7, 7],
    ];
    const forth = 0.25 * Math.log(0.5) + 0.75 * Math.log(1.5);
    const back = 0.5 * Math.log(2) + 0.5 * Math.log(2 / 3);
    const [p, q] = [
      [rows(uneven, even), rows(uneven)],
      [rows(even, uneven), rows(uneven)],
    ];
    expect(divergenceOf(p, q, "classification")).toBeCloseTo((forth + back) / 3, 6);
  });

  it("of the scores of one sample is that of one row, and of nothing none", () => {
    const forth = 0.25 * Math.log(0.5) + 0.75 * Math.log(1.5);
    expect(divergenceOf([rows([0, ln3])], [rows([7, 7])], "classification")).toBeCloseTo(forth, 6);
    for (const task of ["classification", "regression"] as const) expect(divergenceOf([], [], task)).toBe(0);
  });

  it("of numbers is none where nothing but zeros is expected, and counts where their squares sum up to 1", () => {
    expect(divergenceOf([rows([0, 0])], [rows([1, 2])], "regression")).toBe(0);
    expect(divergenceOf([rows([1])], [rows([0.5])], "regression")).toBe(0.25);
  });

  it("of numbers is the squared error over the squares of what is expected, over all batches", () => {
    // (4 − 3)² + (1 − 3)² of 3² + 4² + 1².
    expect(divergenceOf([rows([3, 4]), rows([1])], [rows([3, 3]), rows([3])], "regression")).toBeCloseTo(5 / 26, 9);
  });
});

it.each([
  [1, "regression"],
  [2, "classification"],
  [3, "classification"],
] as const)("takes rows of %d numbers for %s unless it is told", async (columns, task) => {
  const g = graphBuilder();
  const x = g.input("x", "float32", ["batch", 16]);
  g.output(g.op("MatMul", [x, g.constant("w", filled([16, columns], 1))], {}, { name: "only" }), "y");
  const of = async (told?: "regression" | "classification") => {
    const options = { open: openSession, calibration, ...(told && { task: told }) };
    return (await sensitivity(model(g.build()), options))[0]!.divergence;
  };
  const [untold, regression, classification] = [await of(), await of("regression"), await of("classification")];
  expect(regression).not.toBe(classification);
  expect(untold).toBe(task === "regression" ? regression : classification);
});

it("puts the layer first that alone does most, or whose absence helps most", async () => {
  const g = graphBuilder();
  const x = g.input("x", "float32", ["batch", 16]);
  // One large weight makes the steps of the second layer coarse.
  const coarse = filled([16, 16], 2);
  const outlier = tensor(
    "float32",
    [16, 16],
    floatsOf(coarse).map((value, i) => (i === 0 ? 40 : value)),
  );
  const hidden = g.op("MatMul", [x, g.constant("first_w", filled([16, 16], 1))], {}, { name: "fine" });
  g.output(g.op("MatMul", [g.op("Relu", [hidden]), g.constant("w", outlier)], {}, { name: "coarse" }), "logits");
  for (const mode of ["one", "all-but-one"] as const) {
    const found = await sensitivity(model(g.build()), {
      open: openSession,
      calibration,
      mode,
      perChannel: false,
    });
    expect(
      found.map(({ node }) => node),
      mode,
    ).toEqual(["coarse", "fine"]);
    expect(Math.sign(found[0]!.divergence - found[1]!.divergence), mode).toBe(mode === "one" ? 1 : -1);
  }
});
