import { readFile, stat } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { batches, demoModelPath, glyphs } from "../src/data/index.ts";
import { floatsOf } from "../src/ir/index.ts";
import { decodeModel } from "../src/onnx/index.ts";
import { openSession } from "../src/runtime/index.ts";

describe("the demo network", () => {
  it("is small and keeps its BatchNormalization nodes", async () => {
    const path = await demoModelPath();
    expect((await stat(path)).size).toBeLessThan(2.5e6);
    const model = decodeModel(await readFile(path));
    expect(model.graph.nodes.filter(({ opType }) => opType === "BatchNormalization")).toHaveLength(15);
  });

  it("knows the glyphs that it was not trained on, but not all of them", async () => {
    const session = await openSession(decodeModel(await readFile(await demoModelPath())));
    try {
      const [port] = session.inputs;
      const data = glyphs({ split: "test", size: 500, seed: 1, port: port! });
      let right = 0;
      for await (const { feeds, labels } of batches(data, { batch: 50, port: port! })) {
        const logits = floatsOf((await session.run(feeds)).get("logits")!);
        for (const [i, label] of labels!.entries()) {
          const row = logits.subarray(10 * i, 10 * i + 10);
          if (row.indexOf(Math.max(...row)) === label) right++;
        }
      }
      expect(right / 500).toBeGreaterThan(0.95);
      expect(right / 500).toBeLessThan(1);
    } finally {
      await session.release();
    }
  });
});
