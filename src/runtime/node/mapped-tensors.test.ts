import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { freeBytes } from "../../file-system.ts";
import { floatsOf, graphBuilder, type Model, model, tensor } from "../../ir/index.ts";
import { resolveOptions } from "../options.ts";
import { loadSpec } from "../prepare.ts";
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
    const load = await withMappedTensors(loadSpec(tableModel(), target, true));
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
      const load = await withMappedTensors(loadSpec(tableModel(), target, true));
      expect(load.spec.folder).toMatch(/^\/dev\/shm\/litheml-tensors-/);
      expect(await left(folder)).toEqual([]);
      await load.remove();
      expect(existsSync(load.spec.folder!)).toBe(false);
    },
  );

  it.each(["there is room", "there is none"])("are read alike where %s, and leave nothing behind", async (room) => {
    if (room === "there is none") process.env.TMPDIR = join(folder, "none");
    await using session = await openSession(tableModel());
    expect([...floatsOf((await session.run(new Map())).get("y")!)]).toEqual([3, 3, 3, 3]);
    expect(await left(folder)).toEqual([]);
  });
});

/** The runtime leaves files of its own. */
async function left(folder: string): Promise<string[]> {
  return (await readdir(folder)).filter((name) => name.startsWith("litheml-"));
}
