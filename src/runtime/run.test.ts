import { describe, expect, it } from "vitest";
import { CancelledError } from "../errors.ts";
import { checkCancelled, startRun } from "./run.ts";

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
