/** @file Every dispatch gives what computing everything gives, with the same gradients; capacity leaves out what it says. */
import { describe, expect, it } from "vitest";
import { chooseForm } from "../../src/accelerate/index.ts";
import {
  capacity,
  type Dispatch,
  type DispatchName,
  dispatches,
  dispatchForms,
  type Expert,
  type Gate,
  gates,
  mlpExpert,
  moeLayer,
  moeTraining,
  type ServeOrderName,
} from "../../src/conditional/index.ts";
import { random } from "../../src/data/index.ts";
import { UnsupportedError } from "../../src/errors.ts";
import { isSparse, type Model, numbersOf, type Tensor, tensorFromNumbers, verify } from "../../src/ir/index.ts";
import type { Contender, Standing } from "../../src/measure/index.ts";
import { type Activation, network } from "../../src/nn/index.ts";
import { evaluate } from "../../src/reference/index.ts";
import { openSession } from "../../src/runtime/index.ts";
import { sgd, trainingStep } from "../../src/train/index.ts";

const WIDTH = 6;
const EXPERTS = 5;

function numbers(dims: readonly number[], seed: number): Tensor {
  const source = random(seed);
  const size = dims.reduce((a, b) => a * b, 1);
  return tensorFromNumbers(
    "float32",
    dims,
    Array.from({ length: size }, () => source.normal()),
  );
}

function layered(gate: Gate, dispatch?: Dispatch): Model {
  return network(random(3), (n) => {
    const x = n.input("x", "float32", ["batch", 3, WIDTH]);
    const expert = mlpExpert({ hidden: 7, activation: "Tanh" });
    const options = { gate, expert, experts: EXPERTS, ...(dispatch && { dispatch }) };
    n.output(moeLayer(n.scope("moe"), x, options), "y");
  });
}

const list = (tensor: Tensor | undefined): number[] => Array.from(numbersOf(tensor!));

function stepped(model: Model, x: Tensor, run: (step: Model, feeds: Map<string, Tensor>) => Map<string, Tensor>) {
  const training = moeTraining(model);
  const step = trainingStep(model, { loss: "meanSquaredError", ...training, optimizer: sgd(), output: "y" });
  const feeds = new Map<string, Tensor>([
    ["x", x],
    [step.labels!, numbers(x.dims, 8)],
    [step.learningRate, tensorFromNumbers("float32", [], [1])],
    [step.step, tensorFromNumbers("int64", [], [1])],
    ...(step.maskKey ? [[step.maskKey, tensorFromNumbers("uint32", [2], [3, 4])] as const] : []),
    ...step.state.map(({ name, initial }): [string, Tensor] => [name, initial]),
  ]);
  const results = run(step.model, feeds);
  const parameters = step.state.filter(({ kind }) => kind === "parameter");
  return new Map(parameters.map(({ name, output }) => [name, list(results.get(output))]));
}

/** For each dispatch that tokens' choices go through, one that leaves nothing out. */
const complete: Partial<Record<DispatchName, Dispatch>> = {
  dropless: dispatches.dropless(),
  capacity: dispatches.capacity({ factor: EXPERTS }),
  dense: dispatches.dense(),
  skipping: dispatches.skipping(),
};

const choosing = {
  switch: gates.switch({ jitter: 0 }),
  "top-k": gates["top-k"]({ k: 2 }),
  "sigmoid-bias": gates["sigmoid-bias"]({ k: 3 }),
  "round-robin": gates["round-robin"](),
};

describe("dispatches", () => {
  it("are all covered", () => {
    const others = ["by-expert", "slots", "moe-operator"];
    expect([...Object.keys(complete), ...others].sort()).toEqual(Object.keys(dispatches).sort());
  });

  describe.each(Object.entries(choosing))("under %s", (_, gate) => {
    const x = numbers([4, 3, WIDTH], 5);
    const oracle = layered(gate, dispatches.dense());
    const expected = list(evaluate(oracle, new Map([["x", x]])).get("y"));
    const gradients = stepped(oracle, x, (step, feeds) => evaluate(step, feeds));

    it.each(Object.entries(complete))("%s equals computing all, gradients too", (name, dispatch) => {
      const model = layered(gate, dispatch);
      expect(verify(model)).toEqual([]);
      const got = list(evaluate(model, new Map([["x", x]])).get("y"));
      got.forEach((value, i) => void expect(value, name).toBeCloseTo(expected[i]!, 9));
      const after = stepped(model, x, (step, feeds) => evaluate(step, feeds));
      expect([...after.keys()].sort()).toEqual([...gradients.keys()].sort());
      for (const [parameter, values] of after) {
        values.forEach((value, i) => void expect(value, parameter).toBeCloseTo(gradients.get(parameter)![i]!, 7));
      }
    });

    it.each(Object.entries(complete))("%s runs on ONNX Runtime, also with one token", async (_name, dispatch) => {
      const model = layered(gate, dispatch);
      await using session = await openSession(model, { threads: 2 });
      for (const batch of [4, 1]) {
        const input = numbers([batch, 3, WIDTH], batch);
        const reference = list(evaluate(oracle, new Map([["x", input]])).get("y"));
        const got = list((await session.run(new Map([["x", input]]), { fetches: ["y"] })).get("y"));
        got.forEach((value, i) => void expect(value).toBeCloseTo(reference[i]!, 4));
      }
    });
  });
});

describe("the operator MoE", () => {
  const settings: Record<string, Gate> = {
    ...choosing,
    "weights of any sign": gates.score({ normalise: "none" }),
    "one expert": gates["top-k"]({ k: 1 }),
  };

  function mixed(gate: Gate, activation: Activation, name: DispatchName, experts = EXPERTS): Model {
    return network(random(3), (n) => {
      const x = n.input("x", "float32", ["batch", 3, WIDTH]);
      const expert = mlpExpert({ hidden: 7, activation });
      n.output(moeLayer(n.scope("moe"), x, { gate, expert, experts, dispatch: name }), "y");
    });
  }

  it.each(Object.entries(settings))("equals computing all under %s", async (_, gate) => {
    for (const activation of ["Relu", "Identity"] as const) {
      const model = mixed(gate, activation, "moe-operator");
      expect(verify(model)).toEqual([]);
      expect(model.graph.nodes.filter(({ opType }) => opType === "MoE")).toHaveLength(1);
      await using session = await openSession(model, { threads: 2 });
      for (const batch of [4, 1]) {
        const feeds = new Map([["x", numbers([batch, 3, WIDTH], batch)]]);
        const expected = list(evaluate(mixed(gate, activation, "dense"), feeds).get("y"));
        list(evaluate(model, feeds).get("y")).forEach((value, i) => void expect(value).toBeCloseTo(expected[i]!, 9));
        const got = list((await session.run(feeds, { fetches: ["y"] })).get("y"));
        got.forEach((value, i) => void expect(value).toBeCloseTo(expected[i]!, 4));
      }
    }
  });

  it("refuses what it does not compute, and gradients, by name", () => {
    const gate = choosing["top-k"];
    expect(() => mixed(gate, "Gelu", "moe-operator")).toThrow(/lacks the activation.*Relu, Identity.*Gelu/);
    expect(() => mixed(gates.soft(), "Relu", "moe-operator")).toThrow(/cannot carry out/);
    const bare: Expert = (n, rows) => n.op("Neg", [rows]);
    const other = () =>
      network(random(1), (n) => {
        const x = n.input("x", "float32", ["batch", WIDTH]);
        n.output(moeLayer(n, x, { gate, expert: bare, experts: 2, dispatch: "moe-operator" }), "y");
      });
    expect(other).toThrow(UnsupportedError);
    const model = mixed(gate, "Relu", "moe-operator");
    expect(() => trainingStep(model, { loss: "meanSquaredError", optimizer: sgd(), output: "y" })).toThrow(/inference/);
  });

  it("is one of the forms of a trained mixture, which all answer alike", async () => {
    const build = (dispatch: DispatchName) => mixed(choosing["top-k"], "Relu", dispatch);
    const trained = perturbed(build("dropless"));
    const forms = await dispatchForms(trained, build);
    expect(forms.map(({ name }) => name)).toEqual(["dropless", "skipping", "dense", "moe-operator"]);
    const feeds = new Map([["x", numbers([4, 3, WIDTH], 6)]]);
    const expected = list(evaluate(trained, feeds).get("y"));
    for (const form of forms) {
      if ("reason" in form) throw new Error(form.reason);
      expect(form.model.graph.outputs.map(({ name }) => name)).toEqual(["y"]);
      const got = list(evaluate(form.model, feeds).get("y"));
      got.forEach((value, i) => void expect(value, form.name).toBeCloseTo(expected[i]!, 9));
    }
    const race = async (sides: readonly Contender[]): Promise<Standing[]> =>
      sides.map((_, i) => ({
        ...{ p50: 1, p95: 1, min: 1, mean: 1, rounds: 1, inputs: 1, sessions: 1 },
        ...{ ratio: i + 1, spread: [i + 1, i + 1], verdict: i > 0 ? "faster" : "same" },
      }));
    expect((await chooseForm(forms, feeds, { race })).choice).toBe("moe-operator");
    const gelu = await dispatchForms(layered(choosing.switch), (name) => layered(choosing.switch, dispatches[name]()), [
      "dropless",
      "by-expert",
    ]);
    expect(gelu[1]).toEqual({ name: "by-expert", reason: expect.stringMatching(/cannot carry out/) });
    const wider = (name: DispatchName) => mixed(choosing["top-k"], "Relu", name, EXPERTS + 1);
    await expect(dispatchForms(trained, wider)).rejects.toThrow(/lacks a parameter/);
  });
});

describe("few experts", () => {
  const x = numbers([4, WIDTH], 5);
  const negated: Expert = (n, rows, index) => n.op("Mul", [rows, n.number(index === 0 ? -1 : 3)]);

  function few(gate: Gate, experts: number, dispatch?: DispatchName, expert: Expert = negated): Model {
    return network(random(3), (n) => {
      const rows = n.input("x", "float32", ["batch", WIDTH]);
      n.output(moeLayer(n, rows, { gate, expert, experts, ...(dispatch && { dispatch }) }), "y");
    });
  }

  it("each take what they choose and answer for themselves", () => {
    // Both take all four tokens, so that a token gets −x·p₀ + 3x·p₁ and the shares sum to 1.
    const made = evaluate(few(gates["expert-choice"]({ factor: 2 }), 2), new Map([["x", x]]));
    const [y, first] = [list(made.get("y")), list(x)];
    const shares = Array.from({ length: 4 }, (_, t) => (y[t * WIDTH]! / first[t * WIDTH]! + 1) / 4);
    for (const share of shares) expect(share > 0 && share < 1).toBe(true);
    y.forEach((value, i) => void expect(value).toBeCloseTo((4 * shares[Math.floor(i / WIDTH)]! - 1) * first[i]!, 5));
    expect(Math.max(...shares) - Math.min(...shares)).toBeGreaterThan(1e-3);
  });

  it.each([
    ["by-expert", gates["expert-choice"]({ factor: 1 })],
    ["slots", gates["soft-slots"]()],
  ] as const)("of which there is one are reached by %s without dividing the rows", (name, gate) => {
    const model = few(gate, 1);
    expect(verify(model)).toEqual([]);
    expect(model.graph.nodes.filter(({ opType }) => opType === "Split")).toEqual([]);
    if (name === "slots") return;
    // The one expert has all of every token.
    list(evaluate(model, new Map([["x", x]])).get("y")).forEach((value, i) => {
      expect(value).toBeCloseTo(-list(x)[i]!, 6);
    });
  });

  it.each(["capacity", "moe-operator"] as const)(
    "of which a token has one get it by %s without copies of tokens",
    (name) => {
      const expert = mlpExpert({ hidden: 3, activation: "Relu" });
      const spread = (k: number) =>
        few(gates["top-k"]({ k }), 3, name, expert).graph.nodes.filter(
          ({ opType, outputs }) =>
            opType === "Expand" && outputs[0]!.type?.kind === "tensor" && outputs[0]!.type.dims?.length === 3,
        ).length;
      expect([spread(1), spread(2)]).toEqual([0, 1]);
    },
  );

  it("whose activation is not told have Gelu, which the operator MoE lacks", () => {
    const build = () => few(gates.switch(), 2, "moe-operator", mlpExpert({ hidden: 3 }));
    expect(build).toThrow(/lacks the activation.*Gelu/);
  });
});

/** Other numbers in every parameter. */
function perturbed(model: Model): Model {
  const initializers = [...model.graph.initializers].map(([value, data]) => {
    if (isSparse(data) || data.dtype !== "float32" || data.dims.length === 0) return [value, data] as const;
    const moved = list(data).map((x, i) => x + Math.sin(i) / 3);
    return [value, tensorFromNumbers("float32", data.dims, moved)] as const;
  });
  return { ...model, graph: { ...model.graph, initializers: new Map(initializers) } };
}

describe("capacity", () => {
  /** Every token wants expert 0 most. */
  const crowded: Gate = {
    name: "crowded",
    learnable: false,
    hard: true,
    build(n, { tokens }) {
      const first = n.op("Slice", [tokens, n.ints([0]), n.ints([1]), n.ints([1])]);
      const weights = n.op("Sigmoid", [first]);
      const experts = n.op("Cast", [n.op("Mul", [weights, n.number(0)])], { to: 7 });
      return { routing: { kind: "token-choice", experts, weights }, losses: [] };
    },
  };
  const x = numbers([10, 3, WIDTH], 2);

  it.each(["position", "score"] as const)(
    "serves by %s, and drops the share that does not fit",
    (serve: ServeOrderName) => {
      const model = layered(crowded, capacity({ factor: 1, serve }));
      const results = evaluate(model, new Map([["x", x]]));
      // 30 tokens, 5 experts: room for 6, and all 30 want one expert.
      expect(list(results.get("moe/measure/dropped"))[0]).toBeCloseTo(24 / 30, 6);
      const rows = Array.from({ length: 30 }, (_, t) => list(results.get("y")).slice(t * WIDTH, (t + 1) * WIDTH));
      const served = rows.flatMap((row, t) => (row.every((value) => value === 0) ? [] : [t]));
      const first = list(x).filter((_, i) => i % WIDTH === 0);
      const byScore = first.map((score, t) => ({ score, t })).toSorted((a, b) => b.score - a.score);
      const wanted =
        serve === "position"
          ? [0, 1, 2, 3, 4, 5]
          : byScore
              .slice(0, 6)
              .map(({ t }) => t)
              .toSorted((a, b) => a - b);
      expect(served).toEqual(wanted);
    },
  );

  it("tells the share that it drops as one number", () => {
    const results = evaluate(layered(crowded, capacity({ factor: 1 })), new Map([["x", x]]));
    expect(results.get("moe/measure/dropped")!.dims).toEqual([]);
  });

  it("of nothing is refused", () => {
    expect(() => capacity({ factor: 0 })).toThrow(/capacity factor/);
  });
});
