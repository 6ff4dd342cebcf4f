import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { UsageError } from "../../errors.ts";
import { collect, glyphImages, glyphNames, glyphs } from "../index.ts";

async function digest(options: Parameters<typeof glyphImages>[0]): Promise<string> {
  const source = glyphImages(options);
  const reader = await source.open();
  const hash = createHash("sha256");
  for (let i = 0; i < source.size; i++) hash.update((await reader.read(i)).image.pixels);
  return hash.digest("hex").slice(0, 16);
}

describe("glyphs", () => {
  it("are drawn the same everywhere: the shipped network was trained on these", async () => {
    expect(await digest({ split: "train", size: 30 })).toBe("271ef95ad0248098");
    expect(await digest({ split: "test", size: 30 })).toBe("e87162caed46eca7");
  });

  it("differ by split and seed", async () => {
    const digests = await Promise.all([
      digest({ split: "train", size: 3 }),
      digest({ split: "calibration", size: 3 }),
      digest({ split: "test", size: 3 }),
      digest({ split: "test", size: 3, seed: 1 }),
    ]);
    expect(new Set(digests).size).toBe(4);
  });

  it("have ten classes in turn and fit the network", async () => {
    const data = glyphs({ split: "test", size: 12 });
    const samples = await collect(data);
    expect(data.classes).toEqual(glyphNames);
    expect(samples.map(({ label }) => label)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]);
    expect(Array.from(await data.labels!())).toEqual(samples.map(({ label }) => label));
    const image = samples[0]!.inputs.get("input")!;
    expect([image.dtype, ...image.dims]).toEqual(["float32", 3, 32, 32]);
  });

  it("are drawn by position", async () => {
    const [picked] = await collect(glyphs({ split: "train", size: 100 }).pick([42]));
    const all = await collect(glyphs({ split: "train", size: 43 }));
    expect(picked).toEqual(all[42]);
  });

  it("refuse an unknown split", () => {
    expect(() => glyphs({ split: "valid" as "test", size: 1 })).toThrow(UsageError);
  });
});
