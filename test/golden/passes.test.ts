/** @file What passes make of small models, as ONNX text: before, a line, after. */

import { describe, expect, it } from "vitest";
import { printModel } from "../../src/ir/index.ts";
import { evaluate } from "../../src/reference/index.ts";
import { checked, type Evaluate } from "../../src/rewrite/index.ts";
import { type EveryPassName, everyPass } from "../every-pass.ts";
import { graphs, shownOn } from "../laws/pass-graphs.ts";

const byReference: Evaluate = async (model, feeds) => evaluate(model, feeds, { precision: "declared" });

const listed = Object.entries(shownOn).flatMap(([pass, names]) =>
  names.map((name) => ({ pass: pass as EveryPassName, name })),
);

describe("golden texts of passes", () => {
  it.each(listed)("$pass: $name", async ({ pass, name }) => {
    const before = graphs[name]();
    const { model: after } = await checked(everyPass[pass]({ evaluate: byReference })).run(before);
    const file = `${pass}-${name.replaceAll(/[^a-z0-9]+/gi, "-").toLowerCase()}.txt`;
    await expect(`${printModel(before)}\n----\n\n${printModel(after)}`).toMatchFileSnapshot(`passes/${file}`);
  });
});
