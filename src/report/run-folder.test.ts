import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { UsageError } from "../errors.ts";
import { openRunFolder } from "./run-folder.ts";

let folder = "";
beforeEach(async () => {
  folder = join(await mkdtemp(join(tmpdir(), "lithe-")), "run");
});
afterEach(() => rm(join(folder, ".."), { recursive: true }));

describe("a run folder", () => {
  it("gives a resumed run the finished parts of the first", async () => {
    const first = await openRunFolder(folder, { seed: 1 });
    await first.keep("static/min-max", { facts: { ratio: 2 }, bytes: Uint8Array.of(1, 2) });
    const resumed = await openRunFolder(folder, { seed: 1 }, { resume: true });
    const part = await resumed.load("static/min-max");
    expect(part?.facts).toEqual({ ratio: 2 });
    expect([...(part?.bytes ?? [])]).toEqual([1, 2]);
    expect(await resumed.load("static/entropy")).toBeUndefined();
  });

  it("forgets them when the run starts anew, and refuses another configuration", async () => {
    await (await openRunFolder(folder, { seed: 1 })).keep("a", { facts: 1 });
    await expect(openRunFolder(folder, { seed: 2 }, { resume: true })).rejects.toBeInstanceOf(UsageError);
    expect(await (await openRunFolder(folder, { seed: 1 })).load("a")).toBeUndefined();
  });

  it("records events as lines", async () => {
    const run = await openRunFolder(folder, {});
    await run.record({ type: "stage", name: "cleanup" });
    await run.record({ type: "stage", name: "measure" });
    const lines = (await readFile(join(folder, "events.jsonl"), "utf8")).trim().split("\n");
    expect(lines.map((line) => JSON.parse(line).name)).toEqual(["cleanup", "measure"]);
  });
});
