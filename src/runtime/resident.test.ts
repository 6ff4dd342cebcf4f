import { describe, expect, it } from "vitest";
import { graphBuilder, model, numbersOf, type Tensor, tensor } from "../ir/index.ts";
import { openSession, resideIn, type Session } from "./index.ts";
import { referenceSession } from "./reference.ts";

/** total' = total + x, and twice the new total. */
function counter() {
  const g = graphBuilder();
  const [total, x] = [g.input("total", "float32", [2]), g.input("x", "float32", [2])];
  const next = g.op("Add", [total, x]);
  g.output(next, "total:next");
  g.output(g.op("Add", [next, next]), "double");
  return model(g.build());
}

const floats = (values: readonly number[]): Tensor => tensor("float32", [values.length], values);
const batch = (a: number, b: number) => new Map([["x", floats([a, b])]]);
const next = new Map([["total", "total:next"]]);
const start = () => new Map([["total", floats([0, 1])]]);
const numbers = (t: Tensor | undefined) => Array.from(numbersOf(t!));

async function follow(session: Session): Promise<void> {
  const state = await resideIn(session, start(), next);
  const [first, second] = await state.advance([batch(1, 1), batch(2, 3)], { fetches: ["double"] });
  expect([...first!.keys()]).toEqual(["double"]);
  expect([first, second].map((results) => numbers(results!.get("double")))).toEqual([
    [2, 4],
    [6, 10],
  ]);
  const copy = await state.read();
  expect(numbers(copy.get("total"))).toEqual([3, 5]);
  const [third] = await state.advance([batch(1, 1)]);
  expect(numbers(third!.get("total:next"))).toEqual([4, 6]);
  expect(numbers(copy.get("total"))).toEqual([3, 5]);
  expect(numbers((await state.read(["total"])).get("total"))).toEqual([4, 6]);
  await state.drop();
}

describe("resident state", () => {
  it("goes from run to run in a thread", async () => {
    await using session = await openSession(counter());
    await follow(session);
  });

  it("goes from run to run in a process", async () => {
    await using session = await openSession(counter(), { isolate: "process" });
    await follow(session);
  });

  it("goes from run to run where the session cannot keep it", () => follow(referenceSession(counter())));

  it("is checked before it travels", async () => {
    await using session = await openSession(counter());
    await expect(resideIn(session, start(), new Map([["total", "nothing"]]))).rejects.toThrow(/no such output/);
    await expect(resideIn(session, start(), new Map([["x", "double"]]))).rejects.toThrow(/no part of the state/);
    const state = await resideIn(session, start(), next);
    await expect(state.advance([new Map([["total", floats([1, 1])]])])).rejects.toThrow();
    await expect(state.read(["x"])).rejects.toThrow(/no part of the state/);
    await state.drop();
    await expect(state.advance([batch(1, 1)])).rejects.toThrow(/was dropped/);
  });
});
