/** @file Networks with mixtures inside: they learn, export, are measured, and dead experts come back. */
import { describe, expect, it } from "vitest";
import {
  balanceOf,
  type Expert,
  type Gate,
  gates,
  measureMixture,
  mixtureProbe,
  mlpExpert,
  moeGpt,
  moeLayer,
  moeMeasures,
  moeTraining,
  reviveExperts,
  routingChurn,
  withoutSideOutputs,
} from "../../src/conditional/index.ts";
import { switchLayer } from "../../src/conditional/moe/moe-layer.ts";
import { datasetOf, random } from "../../src/data/index.ts";
import { UsageError } from "../../src/errors.ts";
import {
  type Dims,
  floatsOf,
  isSparse,
  type Model,
  numbersOf,
  tensor,
  tensorFromNumbers,
  type Value,
  verify,
} from "../../src/ir/index.ts";
import { type Layers, network } from "../../src/nn/index.ts";
import { evaluate } from "../../src/reference/index.ts";
import { openSession } from "../../src/runtime/index.ts";
import { adamw, crossEntropy, fit } from "../../src/train/index.ts";

const size = { vocabulary: 7, context: 6, width: 16, depth: 2, heads: 2, hidden: 16, experts: 4 } as const;

const sentences = datasetOf({
  size: 8,
  open: () => ({
    read(position) {
      const source = random(3, position);
      const ids = Array.from({ length: size.context + 1 }, () => Math.floor(7 * source.uniform()));
      const inputs = new Map([
        ["ids", tensorFromNumbers("int64", [size.context], ids.slice(0, -1))],
        ["labels", tensorFromNumbers("int64", [size.context], ids.slice(1))],
      ]);
      return { inputs, source: `${position}` };
    },
  }),
});

function learn(model: Model) {
  return fit(model, {
    data: sentences,
    labels: "labels",
    epochs: 60,
    batch: 8,
    loss: crossEntropy({ axis: -1 }),
    optimizer: adamw({ weightDecay: 0 }),
    learningRate: 1e-2,
    output: "logits",
    session: { threads: 1 },
    ...moeTraining(model),
  });
}

const gptGates: Record<string, Gate> = {
  switch: gates.switch(),
  "sigmoid-bias": gates["sigmoid-bias"]({ k: 2 }),
  "token-hash": gates["token-hash"](),
};

describe("a GPT of mixtures", () => {
  it.each(Object.entries(gptGates))(
    "learns a batch by heart under %s, and exports without its gates' outputs",
    async (_, gate) => {
      const model = moeGpt(random(1), { ...size, gate, every: 1 });
      expect(verify(model)).toEqual([]);
      const losses: number[] = [];
      const run = learn(model);
      for await (const event of run) if (event.type === "step") losses.push(event.loss);
      expect(losses.at(-1)!).toBeLessThan(losses[0]! / 3);
      const bare = await withoutSideOutputs((await run.result).model);
      expect(bare.graph.outputs.map(({ name }) => name)).toEqual(["logits"]);
      const feeds = new Map([["ids", tensorFromNumbers("int64", [1, 6], [0, 1, 2, 3, 4, 5])]]);
      await using session = await openSession(bare, { threads: 1, stock: true });
      const logits = numbersOf((await session.run(feeds)).get("logits")!);
      const expected = numbersOf(evaluate(bare, feeds).get("logits")!);
      for (const [i, x] of logits.entries()) expect(x).toBeCloseTo(expected[i]!, 3);
    },
  );

  it("has a mixture in every block or in every second one", () => {
    const layers = (every: number) =>
      moeMeasures(moeGpt(random(1), { ...size, depth: 4, every })).filter((name) => name.endsWith("load")).length;
    expect([layers(1), layers(2), layers(3)]).toEqual([4, 2, 1]);
    expect(() => moeGpt(random(1), { ...size, every: 3 })).toThrow(UsageError);
    expect(() => moeGpt(random(1), { ...size, every: 0 })).toThrow(UsageError);
  });

  it("has its mixtures in the last of every so many blocks", () => {
    const blocks = (every: number) =>
      moeMeasures(moeGpt(random(1), { ...size, depth: 7, every }))
        .filter((name) => name.endsWith("measure/load"))
        .map((name) => Number(/\d+/.exec(name)![0]));
    expect([blocks(2), blocks(3), blocks(7)]).toEqual([[1, 3, 5], [2, 5], [6]]);
  });

  it("has experts as wide as the dense block unless another width is asked for", () => {
    const hiddenOf = (options: { hidden?: number }) => {
      const { hidden: _, ...rest } = size;
      const { graph } = moeGpt(random(1), { ...rest, ...options });
      const [value] = [...graph.initializers.keys()].filter(({ name }) => name.endsWith("expert0/in/weight"));
      return value!.type?.kind === "tensor" ? value!.type.dims : undefined;
    };
    expect([hiddenOf({}), hiddenOf({ hidden: 5 })]).toEqual([
      [16, 4 * 16],
      [16, 5],
    ]);
  });
});

const WIDTH = 4;
const EXPERTS = 4;

/** Rows whose largest number says the expert; nobody wants expert 2. */
const rows = [
  [3, 2, 0, 2],
  [3, -2, 0, -2],
  [3, 2, 0, -2],
  [0, 3, 0, 0],
  [0, 3, 0, 0],
  [0, 0, 0, 3],
  [3, -2, 0, 2],
  [3, 2, 0, 0],
];
const batches = [rows.slice(0, 6), rows.slice(6)].map(
  (part) => new Map([["x", tensorFromNumbers("float32", [part.length, WIDTH], part.flat())]]),
);

/** A mixture whose expert e wants rows with a large number at the place that `order` has at e. */
function mixture(gate: Gate, order = [0, 1, 2, 3]): Model {
  const built = network(random(4), (n) => {
    const x = n.input("x", "float32", ["batch", WIDTH]);
    n.output(moeLayer(n.scope("moe"), x, { gate, expert: mlpExpert({ hidden: 5 }), experts: EXPERTS }), "y");
  });
  const identity = Float32Array.from({ length: 16 }, (_, i) => Number(Math.floor(i / 4) === order[i % 4]));
  const initializers = [...built.graph.initializers].map(([value, data]) =>
    value.name === "moe/gate/weight"
      ? ([value, tensor("float32", [4, 4], identity)] as const)
      : ([value, data] as const),
  );
  return { ...built, graph: { ...built.graph, initializers: new Map(initializers) } };
}

const numbersAt = ({ graph }: Model, name: string) => {
  const [, data] = [...graph.initializers].find(([value]) => value.name === name)!;
  return isSparse(data) ? [] : [...floatsOf(data)];
};

describe("measures", () => {
  const model = mixture(gates.switch({ jitter: 0 }));

  it("count what was chosen over all batches", async () => {
    const [found, ...others] = await measureMixture(model, batches, openSession);
    expect(others).toEqual([]);
    expect(found).toMatchObject({ layer: "moe/", dead: [2] });
    found!.load!.forEach((share, i) => void expect(share).toBeCloseTo([5 / 8, 2 / 8, 0, 1 / 8][i]!, 6));
    expect(found!.loadBalance!.maxOverMean).toBeCloseTo(2.5, 6);
    // The router is the identity: scores are the rows themselves, and batches weigh by their tokens.
    const shares = rows.map((row) =>
      row.map((x) => Math.exp(x) / row.reduce((sum, other) => sum + Math.exp(other), 0)),
    );
    const mean = (of: (share: number[]) => number) => shares.reduce((sum, share) => sum + of(share), 0) / rows.length;
    found!.importance!.forEach(
      (share, e) =>
        void expect(share).toBeCloseTo(
          mean((row) => row[e]!),
          6,
        ),
    );
    expect(found!.entropy).toBeCloseTo(
      mean((row) => -row.reduce((sum, p) => sum + p * Math.log(p), 0)),
      6,
    );
    expect([...found!.routes!.experts]).toEqual([0, 0, 0, 1, 1, 3, 0, 0]);
    // Of a mean load of 1/4: 0.15 is more than the 1/8 of the last expert, 0.1 is less.
    const dead = async (deadBelow: number) =>
      (await measureMixture(model, batches, openSession, { deadBelow }))[0]!.dead;
    expect([await dead(0.6), await dead(0.4)]).toEqual([[2, 3], [2]]);
    await expect(measureMixture(await withoutSideOutputs(model), batches, openSession)).rejects.toThrow(UsageError);
  });

  it("of balance are those of their definitions", () => {
    expect(balanceOf([2, 2, 2])).toEqual({ maxOverMean: 1, variation: 0 });
    // The mean is 3, the squares of what is away from it are 4, 1 and 9.
    const { maxOverMean, variation } = balanceOf([1, 2, 6]);
    expect([maxOverMean, variation]).toEqual([2, Math.sqrt(14 / 3) / 3]);
    const before = { k: 2, experts: Int32Array.of(0, 1, 2, 3) };
    expect(routingChurn(before, { k: 2, experts: Int32Array.of(1, 0, 2, 1) })).toBe(0.5);
  });

  it("over a run are those of the model at each evaluation, and say how many tokens have moved", async () => {
    const look = mixtureProbe().start();
    const context = { open: openSession, session: {}, signal: new AbortController().signal, feeds: inOrder };
    async function* inOrder() {
      yield* batches;
    }
    const other = mixture(gates.switch({ jitter: 0 }), [0, 1, 3, 2]);
    const [[before], [after]] = [
      await measureMixture(model, batches, openSession),
      await measureMixture(other, batches, openSession),
    ];
    const looks = [await look(model, context), await look(other, context)];
    for (const [i, found] of [before!, after!].entries()) {
      expect(looks[i]!.slice(0, 6)).toEqual([
        { subject: "moe", name: "load", values: found.load, row: "expert" },
        { subject: "moe", name: "importance", values: found.importance, row: "expert" },
        { subject: "moe", name: "max/mean load", values: [found.loadBalance!.maxOverMean] },
        { subject: "moe", name: "max/mean importance", values: [found.importanceBalance!.maxOverMean] },
        { subject: "moe", name: "router entropy", values: [found.entropy] },
        { subject: "moe", name: "dead experts", values: [1] },
      ]);
    }
    expect(looks.map((told) => told.slice(6))).toEqual([
      [],
      [{ subject: "moe", name: "routing churn", values: [1 / 8] }],
    ]);
    expect(await look(await withoutSideOutputs(model), context)).toEqual([]);
  });

  it("refuse options that nobody reads before a run begins", () => {
    expect(() => mixtureProbe({ dead: 0.5 } as never)).toThrow(/unknown option.*deadBelow/);
  });

  it("lead to dead experts whose numbers are as far from the busiest one's as those are from each other", async () => {
    const [before] = await measureMixture(model, batches, openSession);
    const filled = (value: (i: number) => number): Model => {
      const initializers = [...model.graph.initializers].map(([at, data]) =>
        at.name === "moe/expert0/in/weight" && !isSparse(data)
          ? ([
              at,
              tensor(
                "float32",
                data.dims,
                Float32Array.from({ length: 20 }, (_, i) => value(i)),
              ),
            ] as const)
          : ([at, data] as const),
      );
      return { ...model, graph: { ...model.graph, initializers: new Map(initializers) } };
    };
    const addedTo = (of: Model): number[] => {
      const revived = reviveExperts(of, [before!], { noise: 0.5 });
      const own = numbersAt(of, "moe/expert0/in/weight");
      return numbersAt(revived, "moe/expert2/in/weight").map((x, i) => x - own[i]!);
    };
    // Equal numbers have no deviation; those around 8 and those around 0 have the same one.
    expect(addedTo(filled(() => 8))).toEqual(new Array(20).fill(0));
    const [near, far] = [addedTo(filled((i) => (i % 2) - 0.5)), addedTo(filled((i) => 7.5 + (i % 2)))];
    far.forEach((noise, i) => void expect(noise).toBeCloseTo(near[i]!, 5));
    expect(Math.max(...near.map(Math.abs))).toBeGreaterThan(0.1);
  });

  it("lead to dead experts that work again, and to nothing else", async () => {
    const [before] = await measureMixture(model, batches, openSession);
    const revived = reviveExperts(model, [before!], { seed: 6 });
    const [after] = await measureMixture(revived, batches, openSession);
    expect(after!.dead).toEqual([]);
    expect(after!.load![0]! + after!.load![2]!).toBeCloseTo(before!.load![0]!, 6);
    const [busy, back] = [0, 2].map((expert) => numbersAt(revived, `moe/expert${expert}/in/weight`));
    back!.forEach((value, i) => void expect(value).toBeCloseTo(busy![i]!, 1));
    expect(back).not.toEqual(busy);
    // The router has 4 ones among 16 numbers, so its deviation is √3 / 4; a hundredth of that is added.
    const columns = numbersAt(revived, "moe/gate/weight").flatMap((x, i, all) =>
      i % 4 === 2 ? [x - all[i - 2]!] : [],
    );
    for (const noise of columns) expect(Math.abs(noise)).toBeLessThan((4 * 0.01 * Math.sqrt(3)) / 4);
    expect(Math.max(...columns.map(Math.abs))).toBeGreaterThan(0);
    expect(numbersAt(revived, "moe/expert1/in/weight")).toEqual(numbersAt(model, "moe/expert1/in/weight"));
    expect(reviveExperts(model, [{ ...before!, dead: [] }])).toBe(model);
    expect(() => reviveExperts(model, [{ ...before!, layer: "other/" }])).toThrow(UsageError);
  });
});

describe("a layer of experts", () => {
  const layered = (build: (n: Layers, x: Value) => Value, dims: Dims = ["batch", WIDTH]): Model =>
    network(random(4), (n) => n.output(build(n, n.input("x", "float32", dims)), "y"));
  const feeds = new Map([["x", tensorFromNumbers("float32", [rows.length, WIDTH], rows.flat())]]);

  it("of Switch Transformers is one MLP per token with the activation that is asked for, else Gelu", () => {
    for (const activation of [undefined, "Relu", "Tanh"] as const) {
      const given = activation === undefined ? {} : { activation };
      const own = layered((n, x) => switchLayer(n, x, { experts: 3, hidden: 5, ...given, balance: 0.5 }));
      const expert = mlpExpert({ hidden: 5, activation: activation ?? "Gelu" });
      const written = layered((n, x) => moeLayer(n, x, { gate: gates.switch({ balance: 0.5 }), expert, experts: 3 }));
      const [got, wanted] = [evaluate(own, feeds), evaluate(written, feeds)];
      expect([...got.keys()]).toEqual([...wanted.keys()]);
      for (const [name, value] of wanted) expect(numbersOf(got.get(name)!), name).toEqual(numbersOf(value));
    }
  });

  it("over the tokens of samples needs experts that answer with vectors", () => {
    const square: Expert = (n, tokens) => n.op("Reshape", [tokens, n.ints([-1, 2, 2])]);
    const options = { gate: gates["round-robin"](), expert: square, experts: 2 };
    expect(() => layered((n, x) => moeLayer(n, x, options), ["batch", 3, WIDTH])).toThrow(
      /experts of tokens answer with vectors.*\[tokens, 2, 2\]/,
    );
    expect(
      evaluate(
        layered((n, x) => moeLayer(n, x, options)),
        feeds,
      ).get("y")!.dims,
    ).toEqual([rows.length, 2, 2]);
  });

  it("over pictures asks which axis holds the numbers of a token, and routes positions, not columns", () => {
    const options = { gate: gates.switch(), expert: mlpExpert({ hidden: 5 }), experts: 3 };
    const picture = ["batch", WIDTH, 2, 3] as const;
    expect(() => layered((n, x) => moeLayer(n, x, options), picture)).toThrow(/axis 1 to 3/);
    expect(() => layered((n, x) => moeLayer(n, x, { ...options, axis: 4 }), picture)).toThrow(/axis 1 to 3.*got 4/);
    const channelsFirst = layered((n, x) => moeLayer(n, x, { ...options, axis: 1 }), picture);
    const alone = layered((n, x) => moeLayer(n, x, options));
    const values = Array.from({ length: 2 * WIDTH * 6 }, (_, i) => Math.sin(3 * i));
    const at = (sample: number, channel: number, place: number): number =>
      values[(sample * WIDTH + channel) * 6 + place] ?? Number.NaN;
    const got = evaluate(channelsFirst, new Map([["x", tensorFromNumbers("float32", [2, WIDTH, 2, 3], values)]])).get(
      "y",
    );
    const tokens = [0, 1].flatMap((sample) =>
      Array.from({ length: 6 * WIDTH }, (_, i) => at(sample, i % WIDTH, Math.floor(i / WIDTH))),
    );
    const wanted = evaluate(alone, new Map([["x", tensorFromNumbers("float32", [12, WIDTH], tokens)]])).get("y");
    expect(got?.dims).toEqual([2, WIDTH, 2, 3]);
    const positions = [...numbersOf(wanted!)];
    const pictures = [...numbersOf(got!)];
    for (let i = 0; i < pictures.length; i++) {
      const [sample, channel, place] = [Math.floor(i / (6 * WIDTH)), Math.floor(i / 6) % WIDTH, i % 6];
      expect(pictures[i]).toBeCloseTo(positions[(sample * 6 + place) * WIDTH + channel]!, 6);
    }
  });

  it("moves the biases of its gate by a step towards equal loads", () => {
    const model = mixture(gates["sigmoid-bias"]({ k: 1, step: 0.25 }));
    expect(moeTraining(model)).toEqual({ terms: [], carry: { "moe/gate/bias": "next/moe/gate/bias" } });
    // Of eight rows five go to expert 0, two to 1, none to 2 and one to 3; the mean is two.
    expect([...numbersOf(evaluate(model, feeds).get("next/moe/gate/bias")!)]).toEqual([-0.25, 0, 0.25, 0.25]);
    expect(moeTraining(mixture(gates.soft())).carry).toEqual({});
  });
});
