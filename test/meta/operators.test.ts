/** @file Operators are named where the compiler checks them; the exceptions are listed. */
import ts from "typescript";
import { expect, it } from "vitest";
import { sourcesIn } from "./sources.ts";

/** `unchecked` takes any name and any attributes. */
const unchecked: Readonly<Record<string, number>> = {
  // The axes of reductions were an attribute before opset 18.
  "src/passes/portable/normalize.ts": 1,
};

it("calls of operators that the compiler does not check are these", () => {
  const found: Record<string, number> = {};
  for (const { path, tree } of sourcesIn("src")) {
    if (path === "src/ir/builder.ts") continue;
    const visit = (node: ts.Node): void => {
      if (ts.isPropertyAccessExpression(node) && node.name.text === "unchecked") found[path] = (found[path] ?? 0) + 1;
      ts.forEachChild(node, visit);
    };
    visit(tree);
  }
  expect(found).toEqual(unchecked);
});
