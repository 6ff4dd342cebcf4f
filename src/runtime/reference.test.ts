import { expect, it } from "vitest";
import { CancelledError, DataError } from "../errors.ts";
import { graphBuilder, model, numbersOf, tensor, tensorType } from "../ir/index.ts";
import { openReference } from "./reference.ts";

const g = graphBuilder({ infer: () => [tensorType("float32", ["n"])] });
g.output(g.op("Div", [g.input("x", "float32", ["n"]), g.constant("c", tensor("float32", [], [3]))]), "y");
const third = model(g.build());
const feeds = new Map([["x", tensor("float32", [2], [1, 2])]]);

it("runs, times and tells its ports like any session", async () => {
  await using session = await openReference(third);
  expect(session.inputs).toEqual([{ name: "x", dtype: "float32", dims: ["n"] }]);
  expect(session.outputs).toEqual([{ name: "y", dtype: "float32", dims: ["n"] }]);
  const y = (await session.run(feeds)).get("y")!;
  expect(y.dtype).toBe("float32");
  expect([...numbersOf(y)]).toEqual([Math.fround(1 / 3), Math.fround(2 / 3)]);
  expect((await session.time(feeds, 3)).times).toHaveLength(3);
});

it("refuses wrong feeds and stops when asked", async () => {
  await using session = await openReference(third);
  await expect(session.run(new Map([["z", tensor("float32", [1], [1])]]))).rejects.toThrow(DataError);
  await expect(session.run(new Map([["x", tensor("int32", [1], [1])]]))).rejects.toThrow(/dtype/);
  await expect(session.run(feeds, { signal: AbortSignal.abort() })).rejects.toThrow(CancelledError);
});
