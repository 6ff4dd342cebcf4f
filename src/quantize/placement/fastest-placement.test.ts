import { expect, it } from "vitest";
import { graphBuilder, type Model, model, tensor, type Value } from "../../ir/index.ts";
import { builderInference } from "../../ops/index.ts";
import { type Feeds, type OpenSession, openSession } from "../../runtime/index.ts";
import { fastestPlacement } from "./fastest-placement.ts";

/** Two convolutions, between values of 1000 numbers each. */
function chain(): Model {
  const g = graphBuilder({ infer: builderInference(21) });
  const conv = (x: Value, name: string) =>
    g.op("Conv", [x, g.constant(`${name}_w`, tensor("float32", [1, 1, 1, 1], [0.5]))], {}, { name });
  g.output(conv(conv(g.input("x", "float32", [1, 1, 10, 100]), "a"), "b"), "y");
  return model(g.build());
}

async function* calibration(): AsyncGenerator<Feeds> {
  yield new Map([["x", tensor("float32", [1, 1, 10, 100], new Float32Array(1000).fill(1))]]);
}

type Times = Readonly<Record<string, readonly [float: number, integer: number]>>;

/** Sessions whose nodes take stated microseconds in four calls each, and the second session half as long again. */
function timed(times: Times, threads: unknown[] = []): OpenSession {
  const opened = new Map<number, number>();
  return async (of, options) => {
    const session = await openSession(of, options);
    const isInteger = of.graph.nodes.some(({ opType }) => opType === "QuantizeLinear");
    const count = (opened.get(Number(isInteger)) ?? 0) + 1;
    if (options?.profile) threads.push(options.threads);
    if (options?.profile) opened.set(Number(isInteger), count);
    const profile = async () =>
      Object.entries(times).map(([name, both]) => ({
        name,
        opType: "Conv",
        provider: "CPUExecutionProvider",
        micros: 4 * both[Number(isInteger)]! * (count === 1 ? 1 : 1.5),
        calls: 4,
      }));
    const { ep, inputs, outputs, loadTime } = session;
    return {
      ...{ ep, inputs, outputs, loadTime, profile },
      run: (...args) => session.run(...args),
      time: (...args) => session.time(...args),
      release: () => session.release(),
      [Symbol.asyncDispose]: () => session.release(),
    };
  };
}

it.each<[string, Times, number, readonly string[], number]>([
  // A value that crosses costs 1 µs and 10 ns for each of 1000 numbers: 11.
  ["all where that pays for both ends", { a: [30, 10], b: [30, 10] }, 10, [], 10 + 10 + 2 * 11],
  ["nothing where the ends cost more", { a: [30, 10], b: [30, 10] }, 40, ["a", "b"], 30 + 30],
  ["one of two, with a crossing between them", { a: [100, 10], b: [10, 30] }, 10, ["b"], 10 + 11 + 11 + 10],
])("the fastest placement takes %s", async (_, times, nanosPerElement, exclude, mixed) => {
  const crossing = { micros: 1, nanosPerElement };
  const found = await fastestPlacement(chain(), {
    open: timed(times),
    calibration,
    sessions: 2,
    crossing,
    alignChannels: false,
  });
  expect(found.exclude).toEqual(exclude);
  expect(found.mixed).toBeCloseTo(mixed, 6);
  expect([found.float, found.integer]).toEqual([times.a![0] + times.b![0], times.a![1] + times.b![1]]);
});

it.each([
  [undefined, 1],
  [3, 3],
])("nodes are timed on the threads that are asked for, or one: %s", async (asked, used) => {
  const threads: unknown[] = [];
  await fastestPlacement(chain(), {
    open: timed({ a: [1, 1], b: [1, 1] }, threads),
    calibration,
    sessions: 1,
    runs: 1,
    ...(asked && { threads: asked }),
  });
  expect(threads).toEqual([used, used]);
});
