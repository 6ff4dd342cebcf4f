import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, realpath, rm, utimes } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { freeBytes } from "../../file-system.ts";
import { floatsOf, graphBuilder, type Model, model, tensor } from "../../ir/index.ts";
import { type DataOrigin, setOrigin } from "../../onnx/data-origin.ts";
import { loadModel, saveModel } from "../../onnx/files.ts";
import { resolveOptions } from "../options.ts";
import { loadSpec } from "../prepare.ts";
import { mappedOrigins } from "./mapped-origins.ts";
import { withMappedTensors } from "./mapped-tensors.ts";
import { openSession } from "./open.ts";

vi.mock("../../file-system.ts", async (original) => ({ ...(await original<object>()), freeBytes: vi.fn() }));

/** What is free in the file system in memory. */
function freeInMemory(bytes: number): void {
  vi.mocked(freeBytes).mockResolvedValue(bytes);
}

/** 72 MB of weights, of which a run reads a row. */
function tableModel(): Model {
  const g = graphBuilder();
  const table = g.constant("table", tensor("float32", [4_500_000, 4], new Float32Array(18_000_000).fill(3)));
  g.output(g.op("Gather", [table, g.constant("row", tensor("int64", [1], [7]))]), "y");
  return model(g.build());
}

const target = { ...resolveOptions({}), saturates: false, reduced: false };

describe("large tensors", () => {
  let folder: string;
  let before: string | undefined;
  beforeEach(async () => {
    before = process.env.TMPDIR;
    folder = await mkdtemp(join(tmpdir(), "litheml-mapped-"));
    process.env.TMPDIR = folder;
    freeInMemory(0);
  });
  afterEach(async () => {
    if (before === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = before;
    await rm(folder, { recursive: true, force: true });
  });

  it("are written beside the model, which becomes small, and removed", async () => {
    const load = await withMappedTensors(loadSpec(tableModel(), target, new Map()));
    const { folder: data, external, model: bytes } = load.spec;
    expect(external).toEqual([]);
    expect(bytes.byteLength).toBeLessThan(10_000);
    expect((await readFile(join(data!, "tensor-0"))).byteLength).toBe(72_000_000);
    await load.remove();
    expect(await left(folder)).toEqual([]);
  });

  it.runIf(process.platform === "linux")(
    "are written in memory where there is room for them, and removed",
    async () => {
      freeInMemory(72_000_001);
      const load = await withMappedTensors(loadSpec(tableModel(), target, new Map()), 71_999_999);
      expect(load.spec.folder).toMatch(/^\/dev\/shm\/litheml-tensors-/);
      expect(await left(folder)).toEqual([]);
      await load.remove();
      expect(existsSync(load.spec.folder!)).toBe(false);
    },
  );

  it("are mapped from the file that the model was read with, as long as that stays as it was", async () => {
    const path = join(folder, "model.onnx");
    await saveModel(path, tableModel(), { external: "always" });
    const read = await loadModel(path);
    const load = await withMappedTensors(loadSpec(read, target, await mappedOrigins(read)));
    expect(load.spec).toMatchObject({ folder: await realpath(folder), external: [] });
    expect(load.bytes).toBeGreaterThan(72_000_000);
    expect((await readdir(folder)).sort()).toEqual(["model.onnx", "model.onnx.data"]);
    expect(await rowOf(read)).toEqual([3, 3, 3, 3]);
    await utimes(`${path}.data`, 1, 1);
    expect((await mappedOrigins(read)).size).toBe(0);
    await rm(`${path}.data`);
    expect((await mappedOrigins(read)).size).toBe(0);
    expect(await rowOf(read)).toEqual([3, 3, 3, 3]);
  });

  it("are written where only some lie in a file, or not at a place that kernels can read", async () => {
    const path = join(folder, "model.onnx");
    await saveModel(path, tableModel(), { external: "always" });
    const read = await loadModel(path);
    const origins = await mappedOrigins(read);
    const g = graphBuilder();
    const other = g.constant("other", tensor("float32", [2 ** 19], new Float32Array(2 ** 19)));
    g.output(g.op("Relu", [other]), "z");
    const { graph } = read;
    const both = {
      ...graph,
      nodes: [...graph.nodes, ...g.build().nodes],
      outputs: [...graph.outputs, ...g.build().outputs],
      initializers: new Map([...graph.initializers, ...g.initializers]),
    };
    const { spec } = loadSpec({ ...read, graph: both }, target, origins);
    expect([spec.folder, spec.external.length]).toEqual([undefined, 2]);
    const [[data, origin]] = [...origins] as [[Uint8Array, DataOrigin]];
    setOrigin(data, { ...origin, offset: origin.offset + 4 });
    expect((await mappedOrigins(read)).size).toBe(0);
  });

  it.each(["there is room", "there is none"])("are read alike where %s, and leave nothing behind", async (room) => {
    if (room === "there is none") process.env.TMPDIR = join(folder, "none");
    expect(await rowOf(tableModel())).toEqual([3, 3, 3, 3]);
    expect(await left(folder)).toEqual([]);
  });
});

async function rowOf(read: Model): Promise<number[]> {
  await using session = await openSession(read);
  return [...floatsOf((await session.run(new Map())).get("y")!)];
}

/** The runtime leaves files of its own. */
async function left(folder: string): Promise<string[]> {
  return (await readdir(folder)).filter((name) => name.startsWith("litheml-"));
}
