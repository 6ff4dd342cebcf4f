import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  link,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  truncate,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FormatError, InvalidModelError, LimitError, PathError } from "../errors.ts";
import {
  type ExternalReference,
  equalModels,
  graphBuilder,
  type Model,
  model,
  type Tensor,
  tensor,
} from "../ir/index.ts";
import { decodeModel } from "./decode.ts";
import { encodeModel } from "./encode.ts";
import { loadModelBytes } from "./external.ts";
import { loadModel, saveModel } from "./files.ts";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "lithe-"));
});
afterEach(() => rm(folder, { recursive: true }));

function twoWeights(): Model {
  const g = graphBuilder();
  const x = g.input("x", "float32", ["n", 256]);
  const w = g.constant(
    "w",
    tensor(
      "float32",
      [256, 256],
      Float32Array.from({ length: 65536 }, (_, i) => i / 7),
    ),
  );
  const b = g.constant("b", tensor("float32", [256], new Float32Array(256).fill(0.5)));
  g.output(g.op("Add", [g.op("MatMul", [x, w]), b]), "y");
  return model(g.build());
}

/** A model whose only weight, 8 bytes, is where `reference` says. */
function referring(reference: Partial<ExternalReference>): Uint8Array {
  const g = graphBuilder();
  const x = g.input("x", "float32", [2]);
  const w = g.constant("w", {
    dtype: "float32",
    dims: [2],
    data: { location: "weights.bin", offset: 0, ...reference },
  });
  g.output(g.op("Add", [x, w]), "y");
  return encodeModel(model(g.build()));
}

async function loadReferring(reference: Partial<ExternalReference>): Promise<Model> {
  await writeFile(join(folder, "m.onnx"), referring(reference));
  return loadModel(join(folder, "m.onnx"));
}

/** The data of every dense initializer. */
function dataOf(loaded: Model): Tensor["data"][] {
  return [...loaded.graph.initializers.values()].flatMap((initializer) =>
    "data" in initializer ? initializer.data : [],
  );
}

const weights = new Uint8Array(new Float32Array([1, 2]).buffer);

describe("saveModel and loadModel", () => {
  it("keeps small models in one file", async () => {
    const path = join(folder, "m.onnx");
    const saved = await saveModel(path, twoWeights());
    expect(saved).toEqual({ files: [path], bytes: (await stat(path)).size });
    expect(equalModels(twoWeights(), await loadModel(path))).toBeUndefined();
    expect(await readdir(folder)).toEqual(["m.onnx"]);
  });

  it("writes large initializers beside the model, aligned, and reads them back", async () => {
    const path = join(folder, "m.onnx");
    const saved = await saveModel(path, twoWeights(), { external: "always", threshold: 1000 });
    expect(saved.files).toEqual([path, join(folder, "m.onnx.data")]);
    const inside = decodeModel(await readFile(path));
    const references = dataOf(inside);
    expect(references).toEqual([
      { location: "m.onnx.data", offset: 0, length: 262144 },
      { location: "m.onnx.data", offset: 262144, length: 1024 },
    ]);
    expect(equalModels(twoWeights(), await loadModel(path))).toBeUndefined();
  });

  it("writes a tensor that two initializers share once", async () => {
    const data = tensor("float32", [1024], new Float32Array(1024));
    const g = graphBuilder();
    g.output(g.op("Add", [g.constant("a", data), g.constant("b", data)]), "y");
    const { files } = await saveModel(join(folder, "m.onnx"), model(g.build()), { external: "always" });
    expect((await stat(files[1] as string)).size).toBe(4096);
    const loaded = await loadModel(join(folder, "m.onnx"));
    const [a, b] = dataOf(loaded);
    expect(a).toBe(b);
  });

  it("leaves what stood there when writing fails", async () => {
    const path = join(folder, "m.onnx");
    await saveModel(path, twoWeights(), { external: "always" });
    const before = await readFile(path);
    const broken = { ...twoWeights(), irVersion: 1.5 };
    await expect(saveModel(path, broken)).rejects.toThrow(InvalidModelError);
    expect(await readFile(path)).toEqual(before);
    expect((await readdir(folder)).sort()).toEqual(["m.onnx", "m.onnx.data"]);
  });

  it("refuses to save a model whose external data was not loaded", async () => {
    const unloaded = decodeModel(referring({}));
    await expect(saveModel(join(folder, "m.onnx"), unloaded)).rejects.toThrow(InvalidModelError);
  });

  it("reads external data that is given in memory", () => {
    const loaded = loadModelBytes(referring({ offset: 4 }), new Map([["weights.bin", new Uint8Array(12).fill(7)]]));
    expect(dataOf(loaded)[0]).toEqual(new Uint8Array(8).fill(7));
    expect(() => loadModelBytes(referring({}), new Map())).toThrow(PathError);
    expect(() => loadModelBytes(referring({}), new Map([["weights.bin", new Uint8Array(7)]]))).toThrow(FormatError);
  });
});

describe("external data of untrusted models", () => {
  it("is read from the model's folder and below", async () => {
    await mkdir(join(folder, "sub"));
    await writeFile(join(folder, "weights.bin"), weights);
    await writeFile(join(folder, "sub", "weights.bin"), weights);
    for (const location of ["weights.bin", "./weights.bin", "sub/weights.bin"]) {
      const loaded = await loadReferring({ location });
      expect(dataOf(loaded)[0]).toEqual(weights);
    }
  });

  it("is not read through symbolic links, hard links, folders and FIFOs", async () => {
    const outside = await mkdtemp(join(tmpdir(), "lithe-outside-"));
    try {
      await writeFile(join(outside, "secret.bin"), weights);
      await symlink(join(outside, "secret.bin"), join(folder, "symbolic.bin"));
      await link(join(outside, "secret.bin"), join(folder, "hard.bin"));
      await symlink(outside, join(folder, "linked"));
      await mkdir(join(folder, "folder.bin"));
      execFileSync("mkfifo", [join(folder, "fifo.bin")]);
      for (const location of [
        "symbolic.bin",
        "hard.bin",
        "linked/secret.bin",
        "folder.bin",
        "fifo.bin",
        "absent.bin",
      ]) {
        await expect(loadReferring({ location }), location).rejects.toThrow(PathError);
      }
      await expect(loadModel(join(folder, "fifo.bin"))).rejects.toThrow(PathError);
      await expect(loadModel(join(folder, "folder.bin"))).rejects.toThrow(PathError);
    } finally {
      await rm(outside, { recursive: true });
    }
  });

  it("must lie inside the file", async () => {
    await writeFile(join(folder, "weights.bin"), weights);
    await expect(loadReferring({ offset: 1 })).rejects.toThrow(/external data ends before/);
    await expect(loadReferring({ offset: 2 ** 52 })).rejects.toThrow(FormatError);
    await expect(loadReferring({ length: 9 })).rejects.toThrow(/does not fill its dims/);
    await truncate(join(folder, "weights.bin"), 7);
    await expect(loadReferring({ length: 8 })).rejects.toThrow(FormatError);
  });

  it("is not read more than once in overlapping parts", async () => {
    await writeFile(join(folder, "weights.bin"), new Uint8Array(1024));
    const g = graphBuilder();
    const parts = [0, 1, 2].map((offset) =>
      g.constant(`w${offset}`, { dtype: "uint8", dims: [1000], data: { location: "weights.bin", offset } }),
    );
    g.output(g.op("Concat", parts, { axis: 0 }), "y");
    await writeFile(join(folder, "m.onnx"), encodeModel(model(g.build())));
    await expect(loadModel(join(folder, "m.onnx"))).rejects.toThrow(/overlap/);
  });

  it("is checked against its checksum", async () => {
    await writeFile(join(folder, "weights.bin"), weights);
    const checksum = createHash("sha1").update(weights).digest("hex");
    await expect(loadReferring({ checksum })).resolves.toBeDefined();
    await expect(loadReferring({ checksum: checksum.replace(/^./, "z") })).rejects.toThrow(/checksum/);
  });

  it("is read from beside a model that is itself reached through a link", async () => {
    await writeFile(join(folder, "weights.bin"), weights);
    await writeFile(join(folder, "real.onnx"), referring({}));
    await symlink(join(folder, "real.onnx"), join(folder, "linked.onnx"));
    await expect(loadModel(join(folder, "linked.onnx"))).resolves.toBeDefined();
    await rename(join(folder, "weights.bin"), join(folder, "moved.bin"));
    await expect(loadModel(join(folder, "linked.onnx"))).rejects.toThrow(PathError);
  });

  it("stays under the limits", async () => {
    await writeFile(join(folder, "weights.bin"), weights);
    await writeFile(join(folder, "m.onnx"), referring({}));
    await expect(loadModel(join(folder, "m.onnx"), { limits: { externalBytes: 7 } })).rejects.toThrow(LimitError);
    await expect(loadModel(join(folder, "m.onnx"), { limits: { fileBytes: 7 } })).rejects.toThrow(LimitError);
  });
});

describe.runIf(process.env.LITHE_LARGE_FILES === "1")("more than 2 GiB [LITHE_LARGE_FILES=1]", () => {
  it("goes to a data file by itself and comes back", async () => {
    const part = tensor("uint8", [2 ** 30], new Uint8Array(2 ** 30));
    const g = graphBuilder();
    const copies = [0, 1, 2].map((i) => g.constant(`w${i}`, { ...part, data: (part.data as Uint8Array).slice() }));
    g.output(g.op("Concat", copies, { axis: 0 }), "y");
    const path = join(folder, "m.onnx");
    await expect(saveModel(path, model(g.build()), { external: "never" })).rejects.toThrow(LimitError);
    const { files, bytes } = await saveModel(path, model(g.build()));
    expect(files).toHaveLength(2);
    expect(bytes).toBeGreaterThan(3 * 2 ** 30);
    expect((await loadModel(path)).graph.initializers.size).toBe(3);
  });
});
