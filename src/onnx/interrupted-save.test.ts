/** A save that is cut off after any of its calls to the system leaves a model that loads: the old one or the new one. */
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { equalModels, graphBuilder, type Model, model, tensor } from "../ir/index.ts";
import { loadModel, saveModel } from "./files.ts";

/** Calls that change the file system until all further ones fail, as if the process had been killed. */
const life = vi.hoisted(() => ({ left: Number.POSITIVE_INFINITY }));

vi.mock("node:fs/promises", async (original) => {
  const real = await original<typeof import("node:fs/promises")>();
  const mortal =
    <A extends unknown[], R>(call: (...given: A) => Promise<R>) =>
    async (...given: A): Promise<R> => {
      if (life.left-- <= 0) throw new Error("killed");
      return await call(...given);
    };
  const { open, rename, link, rm: remove, mkdir } = real;
  return {
    ...real,
    open: mortal(open),
    rename: mortal(rename),
    link: mortal(link),
    rm: mortal(remove),
    mkdir: mortal(mkdir),
  };
});

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "lithe-"));
});
afterEach(async () => {
  life.left = Number.POSITIVE_INFINITY;
  await rm(folder, { recursive: true });
});

function weights(value: number): Model {
  const g = graphBuilder();
  const w = g.constant("w", tensor("float32", [1000], new Float32Array(1000).fill(value)));
  g.output(g.op("Add", [g.input("x", "float32", [1000]), w]), "y");
  return model(g.build());
}

const external = { external: "always" } as const;

describe("a model with its data", () => {
  it("is the old or the new one whenever the save is cut off", async () => {
    const path = join(folder, "m.onnx");
    const seen = new Set<string>();
    for (let calls = 0; ; calls++) {
      life.left = Number.POSITIVE_INFINITY;
      await rm(folder, { recursive: true });
      await saveModel(path, weights(1), external);
      await saveModel(path, weights(2), external);
      life.left = calls;
      const done = await saveModel(path, weights(3), external).then(
        () => true,
        () => false,
      );
      life.left = Number.POSITIVE_INFINITY;
      const found = await loadModel(path);
      const isOld = equalModels(found, weights(2)) === undefined;
      seen.add(isOld ? "old" : "new");
      expect(isOld || equalModels(found, weights(3)) === undefined).toBe(true);
      if (done) break;
    }
    expect([...seen].sort()).toEqual(["new", "old"]);
  });

  it("takes another name while the old data is needed, which then goes", async () => {
    const path = join(folder, "m.onnx");
    expect((await saveModel(path, weights(1), external)).files[1]).toBe(join(folder, "m.onnx.data"));
    const { files } = await saveModel(path, weights(2), external);
    expect(files[1]).toMatch(/m\.onnx\.[0-9a-f]{16}\.data$/);
    expect((await readdir(folder)).sort()).toEqual(["m.onnx", files[1]!.slice(folder.length + 1)].sort());
    expect((await saveModel(path, weights(2), external)).files[1]).toBe(join(folder, "m.onnx.data"));
    expect((await readdir(folder)).sort()).toEqual(["m.onnx", "m.onnx.data"]);
  });

  it("overwrites no data that belongs to something else", async () => {
    const path = join(folder, "m.onnx");
    await writeFile(`${path}.data`, "mine");
    await saveModel(path, weights(1), external);
    await saveModel(path, weights(2), external);
    expect(await readFile(`${path}.data`, "utf8")).toBe("mine");
    expect(equalModels(await loadModel(path), weights(2))).toBeUndefined();
  });
});
