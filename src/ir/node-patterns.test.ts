import { describe, expect, it } from "vitest";
import { UsageError } from "../errors.ts";
import { type GraphBuilder, graphBuilder } from "./builder.ts";
import type { Node } from "./graph.ts";
import { checkPatterns, labelOf, nodeMatcher } from "./node-patterns.ts";

function graphOf(...names: string[]) {
  const g: GraphBuilder = graphBuilder();
  let value = g.input("x", "float32", [1]);
  for (const name of names) value = g.op("Relu", [value], {}, { name });
  g.output(value);
  return g.build();
}

describe("a pattern that matches no node", () => {
  const refused = (pattern: string, ...names: string[]) => {
    try {
      checkPatterns(graphOf(...names), { include: undefined, exclude: [pattern] });
    } catch (error) {
      if (error instanceof UsageError) return error;
      throw error;
    }
    return undefined;
  };

  it("is answered with the one name that is near", () => {
    const error = refused("expnd", "stem", "expand", "head");
    expect(error).toMatchObject({ got: '"expnd"', where: "exclude", expected: 'names such as "expand"' });
  });

  it("is answered with the first three names where none is near", () => {
    expect(refused("zzz", "stem", "expand", "head", "tail")?.expected).toBe('names such as "stem", "expand", "head"');
  });

  it("is none where a name matches, whole or with stars", () => {
    for (const pattern of ["stem", "s*m", "*"]) expect(refused(pattern, "stem", "head")).toBeUndefined();
  });
});

describe("a node", () => {
  const node = (name: string, ...outputs: string[]): Node => ({
    opType: "Relu",
    domain: "",
    name,
    inputs: [],
    outputs: outputs.map((output) => ({ name: output })),
    attributes: new Map(),
  });

  it("goes by its name and those of its outputs, and is reported by the first", () => {
    expect(labelOf(node("own", "out"))).toBe("own");
    expect(labelOf(node("", "out", "more"))).toBe("out");
    expect(labelOf(node(""))).toBe("");
    const matches = nodeMatcher(["more"]);
    expect([matches(node("own", "out", "more")), matches(node("own", "out"))]).toEqual([true, false]);
    expect(() => nodeMatcher([""])).toThrow(UsageError);
  });
});
