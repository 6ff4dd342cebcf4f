/** @file Initializers that are neither trained nor fixed: after each batch they become what an output of the model says. */
import { atLeast } from "../../checked.ts";
import { UsageError } from "../../errors.ts";
import { formatType, type Graph, type Value } from "../../ir/index.ts";
import { outputOf } from "./objective.ts";
import type { StepBuilder } from "./step-builder.ts";

/** Name of an initializer → name of the output that is its next value. */
export type Carry = Readonly<Record<string, string>>;

/** The next value of each carried initializer, as a value of its own. */
export function carriedValues(graph: Graph, g: StepBuilder, carry: Carry = {}): Map<Value, Value> {
  const byName = new Map([...graph.initializers.keys()].map((value) => [value.name, value]));
  return new Map(
    Object.entries(carry).map(([name, output]) => {
      const value = byName.get(name);
      if (!value) throw new UsageError("there is no such initializer to carry", { got: JSON.stringify(name) });
      const next = outputOf(graph, output);
      checkSameType(value, next);
      return [value, g.op("Identity", [next])];
    }),
  );
}

function checkSameType(value: Value, next: Value): void {
  const [expected, got] = atLeast(
    [value, next].map(({ type }) => (type ? formatType(type) : "unknown")),
    2,
  );
  if (expected === got) return;
  throw new UsageError("an initializer and the output that becomes its next value differ in type", {
    expected: expected,
    got: got,
    where: `output ${JSON.stringify(next.name)}`,
  });
}
