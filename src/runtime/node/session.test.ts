/** @file Sessions in Node: threads and processes. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, it, vi } from "vitest";
import { denseFeeds, denseModel, loopFeeds, loopModel, memoryFeeds, memoryModel } from "../../../test/models.ts";
import { watchedAbort } from "../../../test/watched-abort.ts";
import { CancelledError, DataError, LimitError, RuntimeError, UnsupportedError, UsageError } from "../../errors.ts";
import { floatsOf, graphBuilder, model, numbersOf, strings, stringsOf, tensor } from "../../ir/index.ts";
import { encodeModel } from "../../onnx/index.ts";
import { openSession } from "../open.ts";
import type { SessionOptions } from "../session.ts";

const LONG = 1e9;

const places: readonly SessionOptions[] = [
  { ep: "cpu" },
  { ep: "cpu", threads: 2 },
  { ep: "wasm" },
  { ep: "cpu", isolate: "process" },
  { ep: "cpu", isolate: "thread" },
  { ep: "wasm", isolate: "thread" },
];

describe.each(places)("a session with %o", (options) => {
  it("runs, times and holds feeds with one result", async () => {
    await using session = await openSession(denseModel(), options);
    const feeds = denseFeeds();
    const direct = await session.run(feeds);
    const held = await session.hold!(feeds);
    expect(direct.get("y")!.dims).toEqual([2, 3]);
    expect(floatsOf((await held.run()).get("y")!)).toEqual(floatsOf(direct.get("y")!));
    expect((await held.time(4)).times).toHaveLength(4);
    expect((await session.time(feeds, 3)).firstRun).toBeGreaterThan(0);
    expect((await session.memory!()).peak).toBeGreaterThan(0);
    await held.drop();
    await expect(held.run()).rejects.toThrow(RuntimeError);
  });

  it("takes bytes, and tells its ports", async () => {
    await using session = await openSession(encodeModel(denseModel()), options);
    expect(session.inputs).toEqual([{ name: "x", dtype: "float32", dims: ["batch", 4] }]);
    expect(session.outputs).toEqual([{ name: "y", dtype: "float32", dims: ["batch", 3] }]);
  });
});

it.each(["cpu", "wasm"] as const)("unknown dims take any length on %s", async (ep) => {
  const g = graphBuilder();
  g.output(g.op("Neg", [g.input("x", "float32", ["", 2])]), "y");
  await using session = await openSession(model(g.build()), { ep });
  const x = tensor("float32", [3, 2], [1, 2, 3, 4, 5, 6]);
  expect((await session.run(new Map([["x", x]]))).get("y")!.dims).toEqual([3, 2]);
});

describe("results", () => {
  it("are equal on cpu and wasm", async () => {
    await using cpu = await openSession(denseModel());
    await using wasm = await openSession(denseModel(), { ep: "wasm" });
    const feeds = denseFeeds(5);
    const [a, b] = await Promise.all([cpu.run(feeds), wasm.run(feeds)]);
    const right = floatsOf(b.get("y")!);
    for (const [i, value] of floatsOf(a.get("y")!).entries()) expect(value).toBeCloseTo(right[i]!, 5);
  });

  it("carry strings", async () => {
    const g = graphBuilder();
    g.output(g.op("Identity", [g.input("s", "string", [2])]), "t");
    await using session = await openSession(model(g.build()));
    const results = await session.run(new Map([["s", strings([2], ["é", "__proto__"])]]));
    expect(stringsOf(results.get("t")!)).toEqual(["é", "__proto__"]);
  });

  it("survive names that are special to objects", async () => {
    const g = graphBuilder();
    g.output(g.op("Neg", [g.input("__proto__", "float32", [1])]), "constructor");
    await using session = await openSession(model(g.build()));
    const feeds = new Map([
      ["__proto__", { dtype: "float32" as const, dims: [1], data: new Uint8Array([0, 0, 128, 63]) }],
    ]);
    expect(numbersOf((await session.run(feeds)).get("constructor")!)).toEqual(Float64Array.of(-1));
  });

  it("can be fetched in part, by known names only", async () => {
    await using session = await openSession(denseModel());
    expect([...(await session.run(denseFeeds(), { fetches: ["y"] })).keys()]).toEqual(["y"]);
    await expect(session.run(denseFeeds(), { fetches: ["z"] })).rejects.toThrow(UsageError);
  });
});

describe("feeds", () => {
  it("stay the caller's unless handed over", async () => {
    await using session = await openSession(denseModel(), { isolate: "thread" });
    const feeds = denseFeeds();
    const bytes = feeds.get("x")!.data as Uint8Array;
    await session.run(feeds);
    expect(bytes.byteLength).toBe(32);
    await session.run(feeds, { transfer: true });
    expect(bytes.byteLength).toBe(0);
  });

  it("are checked before they leave", async () => {
    await using session = await openSession(denseModel());
    await expect(session.run(new Map())).rejects.toThrow(DataError);
  });
});

describe("a run that is cancelled", () => {
  it("before it starts leaves the session usable", async () => {
    await using session = await openSession(denseModel());
    await expect(session.run(denseFeeds(), { signal: AbortSignal.abort() })).rejects.toThrow(CancelledError);
    expect((await session.run(denseFeeds())).size).toBe(1);
  });

  it("while it waits behind another leaves the session usable", async () => {
    await using session = await openSession(loopModel());
    const controller = new AbortController();
    const running = session.run(loopFeeds(200));
    const waiting = session.run(loopFeeds(LONG), { signal: controller.signal });
    controller.abort();
    await expect(waiting).rejects.toThrow(CancelledError);
    expect((await running).size).toBe(1);
  });

  it.each([
    ["process", LONG],
    ["thread", 500],
  ] as const)("while it runs in a %s ends at once and takes the session along", async (isolate, trips) => {
    const session = await openSession(loopModel(), { isolate });
    const { controller, awaited } = watchedAbort();
    const running = session.run(loopFeeds(trips), { signal: controller.signal });
    await awaited;
    controller.abort();
    await expect(running).rejects.toThrow(CancelledError);
    await expect(session.run(loopFeeds(1))).rejects.toThrow(CancelledError);
    await session.release();
  });
});

describe("a process of its own", () => {
  it("is ended when its memory passes the limit", async () => {
    const limits = { memory: 400 * 2 ** 20 };
    await using session = await openSession(memoryModel(), { isolate: "process", limits });
    expect((await session.run(memoryFeeds(1000))).get("zeros")!.dims).toEqual([1000]);
    await expect(session.run(memoryFeeds(5e8))).rejects.toThrow(/over its memory limit/);
    await expect(session.run(memoryFeeds(1))).rejects.toThrow(LimitError);
  });

  it("is ended when a call takes too long", async () => {
    const time = 60_000;
    await using session = await openSession(loopModel(), { isolate: "process", limits: { time } });
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    try {
      const outcome = session.run(loopFeeds(LONG)).catch((error: unknown) => error);
      await vi.advanceTimersByTimeAsync(1.5 * time);
      expect(await outcome).toBeInstanceOf(LimitError);
    } finally {
      vi.useRealTimers();
    }
  });
});

describe("a session", () => {
  it("is released once, and refuses calls afterwards", async () => {
    const session = await openSession(denseModel());
    await Promise.all([session.release(), session.release()]);
    await session.release();
    await expect(session.run(denseFeeds())).rejects.toThrow("the session was released");
  });

  it("finishes what was asked before its release", async () => {
    const session = await openSession(denseModel());
    const running = session.run(denseFeeds());
    await session.release();
    expect((await running).size).toBe(1);
  });

  it("serves overlapping calls in order", async () => {
    await using session = await openSession(denseModel(), { ep: "wasm" });
    const results = await Promise.all([1, 2, 3, 4].map((batch) => session.run(denseFeeds(batch))));
    expect(results.map((result) => result.get("y")!.dims[0])).toEqual([1, 2, 3, 4]);
  });

  it("reports times by node when it profiles, and only then", async () => {
    await using session = await openSession(denseModel(), { profile: true });
    await session.time(denseFeeds(), 3);
    const nodes = await session.profile();
    expect(nodes.map(({ opType }) => opType)).toContain("Add");
    expect(nodes.every(({ calls }) => calls === 4)).toBe(true);
    await using other = await openSession(denseModel());
    await expect(other.profile()).rejects.toThrow(UsageError);
    await expect(openSession(denseModel(), { ep: "wasm", profile: true })).rejects.toThrow(UnsupportedError);
  });

  it("that was forgotten is warned of, and does not keep the program alive", () => {
    const script = `
      import { openSession } from "./dist/runtime/index.js";
      const bytes = Uint8Array.from(${JSON.stringify([...encodeModel(denseModel())])});
      await (async () => { await openSession(bytes); })();
      const { warn } = console;
      let isWarned = false;
      console.warn = (text) => { isWarned = true; warn(text); };
      while (!isWarned) { await new Promise((done) => setTimeout(done, 5)); gc(); }`;
    const cwd = fileURLToPath(new URL("../../../", import.meta.url));
    const args = ["--expose-gc", "--input-type=module", "-e", script];
    const { status, stderr } = spawnSync(process.execPath, args, { cwd, encoding: "utf8", timeout: 600_000 });
    expect(status).toBe(0);
    expect(stderr).toContain("a session on cpu was not released");
  });

  it("turns a model that the runtime refuses into a named error", async () => {
    const g = graphBuilder();
    g.output(g.unchecked("NoSuchOperator", [g.input("x", "float32", [1])], 1)[0], "y");
    await expect(openSession(model(g.build()))).rejects.toThrow(RuntimeError);
    await expect(openSession(model(g.build()), { isolate: "process" })).rejects.toThrow(RuntimeError);
  });
});
