import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import { CancelledError } from "../errors.ts";
import { checkCancelled, EVENT_WINDOW, startRun } from "./run.ts";

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

describe("a run", () => {
  it("gives every reader all events, early or late", async () => {
    const run = startRun<number, string>(async ({ emit }) => {
      emit(1);
      await Promise.resolve();
      emit(2);
      return "done";
    });
    const early = collect(run);
    expect(await run.result).toBe("done");
    expect(await early).toEqual([1, 2]);
    expect(await collect(run)).toEqual([1, 2]);
  });

  it("ends its events and throws from the result when the work fails", async () => {
    const run = startRun<number, never>(async ({ emit }) => {
      emit(1);
      throw new RangeError("broken");
    });
    expect(await collect(run)).toEqual([1]);
    await expect(run.result).rejects.toThrow("broken");
  });

  it("is cancelled by itself and by a signal from outside", async () => {
    const wait = async ({ signal }: { signal: AbortSignal }): Promise<void> => {
      for (;;) {
        checkCancelled(signal);
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
    };
    const own = startRun(wait);
    own.cancel();
    await expect(own.result).rejects.toBeInstanceOf(CancelledError);
    const controller = new AbortController();
    const outside = startRun(wait, { signal: controller.signal });
    controller.abort();
    await expect(outside.result).rejects.toBeInstanceOf(CancelledError);
  });
});

describe("a run of very many events", () => {
  const MILLION = 1_000_000;
  const step = (i: number) => ({ type: "step", step: i, loss: Math.sin(i), told: `batch ${i}` }) as const;

  function heldBytes(): number {
    setFlagsFromString("--expose-gc");
    (runInNewContext("gc") as () => void)();
    return process.memoryUsage().heapUsed;
  }

  it("holds the latest only, and tells a late reader how many are gone", async () => {
    const before = heldBytes();
    const run = startRun<ReturnType<typeof step>, void>(async ({ emit }) => {
      for (let i = 0; i < MILLION; i++) emit(step(i));
    });
    await run.result;
    // An event takes some 100 bytes: all of them took 100 MB.
    expect(heldBytes() - before).toBeLessThan(5e6);
    const [first, ...rest] = await collect(run);
    expect(first).toEqual({ type: "missed", count: MILLION - EVENT_WINDOW });
    expect(rest).toHaveLength(EVENT_WINDOW);
    expect([rest[0], rest.at(-1)]).toEqual([step(MILLION - EVENT_WINDOW), step(MILLION - 1)]);
  });

  it("tells a reader that falls behind what it missed and waits for nobody; who keeps up misses nothing", async () => {
    const sizes = [1, EVENT_WINDOW, EVENT_WINDOW + 5, 2 * EVENT_WINDOW];
    let next = (): void => undefined;
    const run = startRun<number, void>(async ({ emit }) => {
      let i = 0;
      for (const size of sizes) {
        await new Promise<void>((resolve) => {
          next = resolve;
        });
        for (const end = i + size; i < end; i++) emit(i);
      }
    });
    const quick: unknown[] = [];
    const missed: number[] = [];
    const reading = (async () => {
      for await (const event of run) {
        if (typeof event === "number") quick.push(event);
        else missed.push(event.count);
      }
    })();
    let end = 0;
    for (const size of sizes) {
      end += size;
      next();
      await expect.poll(() => quick.at(-1)).toBe(end - 1);
    }
    await reading;
    expect(missed).toEqual([5, EVENT_WINDOW]);
    expect(quick.length + 5 + EVENT_WINDOW).toBe(end);
    const slow = run[Symbol.asyncIterator]();
    expect((await slow.next()).value).toEqual({ type: "missed", count: end - EVENT_WINDOW });
  });
});
