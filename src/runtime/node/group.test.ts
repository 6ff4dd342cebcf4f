/** @file Groups of ranks in Node: sums of every form, and ranks that fail or end. */
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { describe, expect, it } from "vitest";
import { loopFeeds, loopModel } from "../../../test/models.ts";
import { watchedAbort } from "../../../test/watched-abort.ts";
import { CancelledError, DataError, InvalidModelError, RuntimeError, UnsupportedError } from "../../errors.ts";
import {
  type DataType,
  type Dims,
  graphBuilder,
  int64s,
  type Model,
  model,
  numbersOf,
  sameTensor,
  scalar,
  tensorFromNumbers,
  tensorType,
  type Value,
} from "../../ir/index.ts";
import { evaluate } from "../../reference/index.ts";
import { groupChannel } from "../group/channel.ts";
import { WINDOW } from "../group/memory.ts";
import { openPartition } from "../open-partition.ts";
import { resolveOptions } from "../options.ts";
import { type Partition, runPartition } from "../partition.ts";
import type { Channel, RankSpec } from "../protocol.ts";
import { openRemote } from "../remote-session.ts";
import { rankSpecs } from "./group.ts";
import { END } from "./serve-thread.ts";

/** to = scale · from. */
function scaled(from: string, to: string, scale: number, dtype: DataType = "float32", dims: Dims = ["n"]): Model {
  const g = graphBuilder();
  const product = g.op("Mul", [g.input(from, dtype, dims), g.constant("scale", scalar(dtype, scale))]);
  g.output(product, to);
  return typed(model(g.build()), dtype, dims);
}

/** The builder knows no types; a part's output needs one. */
function typed({ graph, ...rest }: Model, dtype: DataType, dims: Dims): Model {
  const [output] = graph.outputs as [Value];
  const value: Value = { ...output, type: tensorType(dtype, dims) };
  const nodes = graph.nodes.map((node) => ({ ...node, outputs: node.outputs.map((o) => (o === output ? value : o)) }));
  return { ...rest, graph: { ...graph, nodes, outputs: [value] } };
}

function value(name: string, dtype: DataType = "float32", dims: Dims = ["n"]): Value {
  return { name, type: tensorType(dtype, dims) };
}

const all = [0, 1, 2];

/** Three ranks; a sum to all, one to a rank alone, and a broadcast by another one. */
const mixed: Partition = {
  size: 3,
  inputs: [value("x")],
  outputs: [value("y"), value("s")],
  steps: [
    { kind: "run", parts: all.map((rank) => scaled("x", "s", 0.1 + rank)) },
    { kind: "sum", value: "s", dtype: "float32", from: [2, 0, 1], to: all },
    { kind: "run", parts: all.map((rank) => scaled("s", "t", 1 + rank)) },
    { kind: "sum", value: "t", dtype: "float32", from: [0, 2], to: [1] },
    { kind: "run", parts: [undefined, scaled("t", "u", 3), undefined] },
    { kind: "sum", value: "u", dtype: "float32", from: [1], to: [0, 2] },
    { kind: "run", parts: [scaled("u", "y", 2), undefined, undefined] },
  ],
};

function feedsOf(length: number, name = "x", dtype: DataType = "float32") {
  const values = Float64Array.from({ length }, (_, i) => (i % 97) - 48);
  return new Map([[name, tensorFromNumbers(dtype, [length], values)]]);
}

const elements = WINDOW / Float32Array.BYTES_PER_ELEMENT;

describe("sums between ranks", () => {
  it("of any number of elements, in pieces", async () => {
    await using group = await openPartition(mixed);
    for (const length of [7, 0, 1, elements - 1, elements, 3 * elements + 5, elements + 1]) {
      const feeds = feedsOf(length);
      const expected = await runPartition(mixed, feeds, (part, fed) => evaluate(part, fed, { precision: "declared" }));
      for (let round = 0; round < 3; round++) {
        const results = await group.run(feeds);
        for (const name of ["y", "s"]) expect(sameTensor(results.get(name)!, expected.get(name)!)).toBe(true);
      }
    }
  });

  it.each(["float64", "int32", "int64"] as const)("of %s", async (dtype) => {
    const from = dtype === "int64" ? [1] : [0, 1];
    const partition: Partition = {
      size: 2,
      inputs: [value("x", dtype)],
      outputs: [value("s", dtype)],
      steps: [
        { kind: "run", parts: [0, 1].map((rank) => scaled("x", "s", 2 + rank, dtype)) },
        { kind: "sum", value: "s", dtype, from, to: [0] },
      ],
    };
    await using group = await openPartition(partition);
    const sum = (await group.run(feedsOf(5, "x", dtype))).get("s")!;
    expect([...numbersOf(sum)]).toEqual([-48, -47, -46, -45, -44].map((x) => x * (dtype === "int64" ? 3 : 5)));
  });

  it("are the same on wasm", async () => {
    await using cpu = await openPartition(mixed);
    await using wasm = await openPartition(mixed, { ep: "wasm" });
    expect(await wasm.run(feedsOf(50))).toEqual(await cpu.run(feedsOf(50)));
  });

  it("of terms with other dims fail on every rank, and the next run works", async () => {
    const shaped = (rank: number): Model => {
      const g = graphBuilder();
      const [x, dims] = [g.input("x", "float32", ["n"]), g.input(`dims${rank}`, "int64", [1])];
      g.output(g.op("Expand", [x, dims]), "s");
      return typed(model(g.build()), "float32", [""]);
    };
    const inputs = [value("x"), value("dims0", "int64", [1]), value("dims1", "int64", [1])];
    const partition: Partition = {
      size: 2,
      inputs,
      outputs: [value("s", "float32", [""])],
      steps: [
        { kind: "run", parts: [shaped(0), shaped(1)] },
        { kind: "sum", value: "s", dtype: "float32", from: [0, 1], to: [0] },
      ],
    };
    await using group = await openPartition(partition);
    const feeds = (a: number, b: number) => new Map([...feedsOf(1), ["dims0", int64s([a])], ["dims1", int64s([b])]]);
    await expect(group.run(feeds(2, 3))).rejects.toThrow("the terms of a sum between ranks have other dims");
    expect([...numbersOf((await group.run(feeds(3, 3))).get("s")!)]).toEqual([-96, -96, -96]);
    await expect(group.run(feeds(2, -2))).rejects.toThrow(RuntimeError);
    expect((await group.run(feeds(4, 4))).get("s")!.dims).toEqual([4]);
  });
});

describe("a group", () => {
  it("is a session: checks, holds, times, tells its memory, and refuses what it cannot do", async () => {
    await using group = await openPartition(mixed);
    expect(group.inputs).toEqual([{ name: "x", dtype: "float32", dims: ["n"] }]);
    await expect(group.run(new Map())).rejects.toThrow(DataError);
    const held = await group.hold!(feedsOf(4));
    expect(await held.run()).toEqual(await group.run(feedsOf(4)));
    expect((await held.time(4)).times).toHaveLength(4);
    expect([...(await held.run({ fetches: ["s"] })).keys()]).toEqual(["s"]);
    await held.drop();
    await expect(held.run()).rejects.toThrow(RuntimeError);
    expect((await group.run(feedsOf(4))).size).toBe(2);
    expect((await group.memory!()).resident).toBeGreaterThan(0);
    await expect(openPartition(mixed, { profile: true })).rejects.toThrow(UnsupportedError);
    await expect(openPartition(mixed, { ep: "webgpu" })).rejects.toThrow(UnsupportedError);
  });

  it("gives the same in threads of this process", async () => {
    await using apart = await openPartition(mixed);
    await using here = await openPartition(mixed, { isolate: "thread" });
    expect(await here.run(feedsOf(4))).toEqual(await apart.run(feedsOf(4)));
  });

  it("times runs after one that failed on its last rank alone", async () => {
    const g = graphBuilder();
    g.output(g.op("Expand", [g.input("s", "float32", ["n"]), g.input("dims", "int64", [1])]), "y");
    const { size, steps } = mixed;
    const last = typed(model(g.build()), "float32", [""]);
    const partition: Partition = {
      size,
      inputs: [value("x"), value("dims", "int64", [1])],
      outputs: [value("y", "float32", [""])],
      steps: [...steps.slice(0, 2), { kind: "run", parts: [last, undefined, undefined] }],
    };
    await using group = await openPartition(partition);
    const feeds = (length: number) => new Map([...feedsOf(2), ["dims", int64s([length])]]);
    await expect(group.run(feeds(3))).rejects.toThrow(RuntimeError);
    expect((await group.time(feeds(2), 3)).times).toHaveLength(3);
  });

  it("is refused when a rank would lack a tensor", async () => {
    const missing = { ...mixed, steps: mixed.steps.slice(2) };
    await expect(openPartition(missing)).rejects.toThrow(InvalidModelError);
    const bools: Partition = {
      ...mixed,
      steps: [{ kind: "sum", value: "x", dtype: "bool", from: [0, 1], to: [0] }],
    };
    await expect(openPartition(bools)).rejects.toThrow("cannot be added up");
  });

  it("can be left in the middle of a run", async () => {
    const group = await openPartition(waiting);
    const { controller, awaited } = watchedAbort();
    const running = group.run(loopFeeds(500), { signal: controller.signal });
    await awaited;
    controller.abort();
    await expect(running).rejects.toThrow(CancelledError);
    await expect(group.run(loopFeeds(1))).rejects.toThrow(CancelledError);
    await group.release();
  });

  it("ends with an error that names the rank that ended", async () => {
    const spec = { ep: "cpu" as const, profile: false, ranks: await rankSpecs(waiting, resolveOptions({})) };
    const workers = spec.ranks.map(() => new Worker(entry, { execArgv: [] }));
    const session = await openRemote(groupChannel(workers.map(lineTo)), { spec, types: new Map() });
    workers[1]!.postMessage(END);
    await expect(session.run(loopFeeds(1))).rejects.toThrow(/rank 1: exited/);
    await expect(session.run(loopFeeds(1))).rejects.toThrow(RuntimeError);
    await session.release();
  });
});

const loop = typed(loopModel(), "float32", [128, 128]);

/** Rank 1 runs a loop, for whose end rank 0 waits. */
const waiting: Partition = {
  size: 2,
  inputs: loop.graph.inputs,
  outputs: loop.graph.outputs,
  steps: [
    { kind: "run", parts: [undefined, loop] },
    { kind: "sum", value: "y", dtype: "float32", from: [1], to: [0] },
  ],
};

const entry = fileURLToPath(new URL("../../../dist/runtime/node/rank.js", import.meta.url));

function lineTo(worker: Worker): Channel<RankSpec> {
  return {
    post: (request, transfer) => worker.postMessage(request, transfer),
    listen(onReply, onEnd) {
      worker.on("message", onReply);
      worker.on("exit", (code) => onEnd({ reason: `exited with code ${code}` }));
    },
    busy: () => undefined,
    async close() {
      worker.postMessage(END);
      if (worker.threadId >= 0) await once(worker, "exit");
    },
  };
}
