import { describe, expect, it } from "vitest";
import { UnsupportedError } from "../errors.ts";
import { graphBuilder, type Model, model, numbersOf, tensor } from "../ir/index.ts";
import { evaluate } from "../reference/index.ts";
import { openSession } from "./index.ts";

function negation(input: string, middle: string, outputs: readonly string[]): Model {
  const g = graphBuilder();
  const x = g.op("Neg", [g.input(input, "float32", [2])], {}, { name: middle });
  for (const output of outputs) g.output(g.op("Neg", [x]), output);
  return model(g.build());
}

describe("names that every object has", () => {
  const cases = [
    ["__proto__", "toString", ["constructor", "hasOwnProperty"]],
    ["constructor", "__proto__", ["toString", "valueOf"]],
  ] as const;

  it.each(cases)("go through a session as others do: %s", async (input, middle, outputs) => {
    const subject = negation(input, middle, outputs);
    const feeds = new Map([[input, tensor("float32", [2], [1, -2])]]);
    const session = await openSession(subject);
    try {
      const [got, expected] = [await session.run(feeds), evaluate(subject, feeds)];
      expect([...got.keys()]).toEqual(outputs);
      for (const output of outputs) expect(numbersOf(got.get(output)!)).toEqual(numbersOf(expected.get(output)!));
    } finally {
      await session.release();
    }
  });

  it("are refused as outputs where the runtime loses them", async () => {
    const opened = openSession(negation("x", "y", ["z", "__proto__"]));
    await expect(opened).rejects.toThrow(UnsupportedError);
    await expect(opened).rejects.toThrow(/output "__proto__"/);
  });
});
