import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
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

  it("gives infinity back, which JSON has not", async () => {
    const run = await openRunFolder(folder, {});
    await run.keep("a", { facts: { relative: Number.POSITIVE_INFINITY } });
    expect((await run.load("a"))?.facts).toEqual({ relative: Number.POSITIVE_INFINITY });
  });

  it("takes a damaged part for none", async () => {
    const run = await openRunFolder(folder, {});
    await run.keep("a", { facts: 1 });
    const [name] = await readdir(join(folder, "kept"));
    await writeFile(join(folder, "kept", name!), "{");
    expect(await run.load("a")).toBeUndefined();
  });

  it("drops the report of an earlier run, and keeps what is not its own", async () => {
    const first = await openRunFolder(folder, { seed: 1 });
    await first.write("report.html", "one");
    await first.finish();
    await writeFile(join(folder, "model.onnx"), "mine");
    await openRunFolder(folder, { seed: 2 });
    expect((await readdir(folder)).sort()).toEqual(["kept", "model.onnx", "run.json"]);
  });

  it("touches no folder of that name in a place that is no run", async () => {
    await mkdir(join(folder, "kept"), { recursive: true });
    await writeFile(join(folder, "kept", "diary"), "mine");
    await expect(openRunFolder(folder, {})).rejects.toBeInstanceOf(UsageError);
    expect(await readdir(folder)).toEqual(["kept"]);
  });

  it("goes when it is abandoned before any part is finished, and stays after", async () => {
    const empty = await openRunFolder(folder, {});
    await empty.record({ type: "stage" });
    await empty.abandon();
    await expect(readdir(folder)).rejects.toMatchObject({ code: "ENOENT" });
    const begun = await openRunFolder(folder, {});
    await begun.keep("a", { facts: 1 });
    await begun.abandon();
    expect((await (await openRunFolder(folder, {}, { resume: true })).load("a"))?.facts).toBe(1);
  });

  it("records events as lines", async () => {
    const run = await openRunFolder(folder, {});
    await run.record({ type: "stage", name: "cleanup" });
    await run.record({ type: "stage", name: "measure" });
    const lines = (await readFile(join(folder, "events.jsonl"), "utf8")).trim().split("\n");
    expect(lines.map((line) => JSON.parse(line).name)).toEqual(["cleanup", "measure"]);
  });
});
