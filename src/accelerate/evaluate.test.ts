import { expect, it } from "vitest";
import { denseFeeds, denseModel } from "../../test/models.ts";
import { openTaking } from "../../test/small-job.ts";
import { numbersOf } from "../ir/index.ts";
import type { OpenSession, SessionOptions } from "../runtime/index.ts";
import { evaluateWith } from "./evaluate.ts";

it("constants are computed as the nodes say, in memory that has room for those they are made of", async () => {
  const opened: (SessionOptions | undefined)[] = [];
  let released = 0;
  const open: OpenSession = async (model, options) => {
    opened.push(options);
    const session = await openTaking(() => 1)(model, options);
    return { ...session, [Symbol.asyncDispose]: async () => void released++ };
  };
  const values = await evaluateWith(open)(denseModel(), denseFeeds());
  expect(numbersOf(values.get("y")!)).toHaveLength(6);
  // A matrix of 4 · 3 floats and one more, four times each, beside a gibibyte.
  const memory = 2 ** 30 + 4 * 13 * 4;
  expect(opened).toEqual([{ optimization: "disabled", step: "folding constants", limits: { time: 10_000, memory } }]);
  expect(released).toBe(1);
});
