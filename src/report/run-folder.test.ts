import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { FormatError, UsageError } from "../errors.ts";
import { thisProcess } from "../process-identity.ts";
import { openRunFolder, type RunFolder } from "./run-folder.ts";

let folder = "";
beforeEach(async () => {
  folder = join(await mkdtemp(join(tmpdir(), "lithe-")), "run");
});
afterEach(() => rm(join(folder, ".."), { recursive: true }));

/** Opens the folder, works and lets it go. */
async function within<T>(config: object, work: (run: RunFolder) => Promise<T>, resume = false): Promise<T> {
  await using run = await openRunFolder(folder, config, { resume });
  return await work(run);
}

describe("a run folder", () => {
  it("gives a resumed run the finished parts of the first", async () => {
    await within({ seed: 1 }, (run) => run.keep("static/min-max", { facts: { ratio: 2 }, bytes: Uint8Array.of(1, 2) }));
    await using resumed = await openRunFolder(folder, { seed: 1 }, { resume: true });
    const part = await resumed.load("static/min-max");
    expect(part?.facts).toEqual({ ratio: 2 });
    expect([...(part?.bytes ?? [])]).toEqual([1, 2]);
    expect(await resumed.load("static/entropy")).toBeUndefined();
  });

  it("forgets them when the run starts anew, and refuses another configuration", async () => {
    await within({ seed: 1 }, (run) => run.keep("a", { facts: 1 }));
    await expect(openRunFolder(folder, { seed: 2 }, { resume: true })).rejects.toBeInstanceOf(UsageError);
    expect(await within({ seed: 1 }, (run) => run.load("a"))).toBeUndefined();
  });

  it("gives infinity back, which JSON has not", async () => {
    await within({}, async (run) => {
      await run.keep("a", { facts: { relative: Number.POSITIVE_INFINITY } });
      expect((await run.load("a"))?.facts).toEqual({ relative: Number.POSITIVE_INFINITY });
    });
  });

  it("takes a damaged part for none", async () => {
    await within({}, async (run) => {
      await run.keep("a", { facts: 1 });
      const [name] = await readdir(join(folder, "kept"));
      await writeFile(join(folder, "kept", name!), "{");
      expect(await run.load("a")).toBeUndefined();
    });
  });

  it("drops the report of an earlier run, and keeps what is not its own", async () => {
    await within({ seed: 1 }, async (run) => {
      await run.write("report.html", "one");
      await run.finish();
    });
    await mkdir(join(folder, "checkpoints"));
    await writeFile(join(folder, "model.onnx"), "mine");
    await within({ seed: 2 }, async () => undefined);
    expect((await readdir(folder)).sort()).toEqual(["kept", "model.onnx", "run.json"]);
  });

  it("touches no folder of that name in a place that is no run", async () => {
    await mkdir(join(folder, "kept"), { recursive: true });
    await writeFile(join(folder, "kept", "diary"), "mine");
    await expect(openRunFolder(folder, {})).rejects.toBeInstanceOf(UsageError);
    expect(await readdir(folder)).toEqual(["kept"]);
  });

  it("goes when it is abandoned before any part is finished, and stays after", async () => {
    await within({}, async (run) => {
      await run.record({ type: "stage" });
      await run.abandon();
    });
    await expect(readdir(folder)).rejects.toMatchObject({ code: "ENOENT" });
    await within({}, async (run) => {
      await run.keep("a", { facts: 1 });
      await run.abandon();
    });
    expect((await within({}, (run) => run.load("a"), true))?.facts).toBe(1);
  });

  it("stays as it was when a resumed run fails before it has done anything", async () => {
    await within({}, (run) => run.record({ type: "stage" }));
    const before = (await readdir(folder)).sort();
    await within({}, (run) => run.abandon(), true);
    expect((await readdir(folder)).sort()).toEqual(before);
  });

  it("leaves no new folder behind when it cannot be opened, and an earlier one where it was", async () => {
    const unwritable = { seed: 1n };
    await expect(openRunFolder(folder, unwritable)).rejects.toThrow(TypeError);
    expect(existsSync(folder)).toBe(false);
    await mkdir(folder);
    await expect(openRunFolder(folder, unwritable)).rejects.toThrow(TypeError);
    expect(await readdir(folder)).toEqual([]);
  });

  it("records events as lines", async () => {
    await within({}, async (run) => {
      await run.record({ type: "stage", name: "cleanup" });
      await run.record({ type: "stage", name: "measure" });
    });
    const lines = (await readFile(join(folder, "events.jsonl"), "utf8")).trim().split("\n");
    expect(lines.map((line) => JSON.parse(line).name)).toEqual(["cleanup", "measure"]);
  });

  it("records when events happened, in milliseconds since the run began", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: 1e12 });
    try {
      await within({}, async (run) => {
        await run.record({ type: "stage" });
        vi.setSystemTime(1e12 + 250);
        await run.record({ type: "stage" });
      });
    } finally {
      vi.useRealTimers();
    }
    const lines = (await readFile(join(folder, "events.jsonl"), "utf8")).trim().split("\n");
    expect(lines.map((line) => JSON.parse(line))).toEqual([0, 250].map((t) => ({ t, type: "stage" })));
  });

  it("says in its record what was asked", async () => {
    await within({ seed: 1 }, async () => undefined);
    const text = await readFile(join(folder, "run.json"), "utf8");
    expect(JSON.parse(text)).toEqual({ version: 1, id: expect.stringMatching(/^[0-9a-f]{64}$/), config: { seed: 1 } });
  });

  it.each([
    ["an empty record", "", /damaged/],
    ["half a record", '{ "id":', /damaged/],
    ["a record of something else", '{ "name": "mine" }', /damaged/],
    ["a record of nothing", "null", /damaged/],
    ["a number", "3", /damaged/],
    ["a record of another version", '{ "version": 2, "id": "x" }', /another version/],
  ])("refuses %s and changes nothing", async (_, text, message) => {
    await within({}, async () => undefined);
    await writeFile(join(folder, "run.json"), text);
    for (const resume of [true, false]) {
      const opened = openRunFolder(folder, {}, { resume });
      await expect(opened).rejects.toThrow(message);
      await expect(opened).rejects.toBeInstanceOf(FormatError);
    }
    expect(await readFile(join(folder, "run.json"), "utf8")).toBe(text);
  });

  it("refuses parts and checkpoints whose record is missing", async () => {
    await within({}, (run) => run.keep("a", { facts: 1 }));
    await rm(join(folder, "run.json"));
    await expect(openRunFolder(folder, {}, { resume: true })).rejects.toThrow(/something else than a run/);
    expect(await readdir(join(folder, "kept"))).toHaveLength(1);
  });

  it("takes away temporary files of writers that were ended", async () => {
    await within({}, (run) => run.keep("a", { facts: 1 }));
    const { host } = thisProcess();
    const ended = spawnSync(process.execPath, ["-e", ""]).pid;
    const left = [`.lithe-${host}-${ended}-0123456789ab.tmp`, ".report.json.0123456789ab.tmp"];
    for (const name of left) await writeFile(join(folder, "kept", name), "half");
    const mine = [`.lithe-${host}-${process.pid}-0123456789ab.tmp`, ".notes.tmp"];
    for (const name of mine) await writeFile(join(folder, name), "whole");
    await within({}, async () => undefined, true);
    expect((await readdir(join(folder, "kept"))).filter((name) => name.endsWith(".tmp"))).toEqual([]);
    expect((await readdir(folder)).filter((name) => name.endsWith(".tmp")).sort()).toEqual(mine.sort());
  });
});

describe("the lock of a run folder", () => {
  const lock = () => join(folder, ".lithe-lock");

  it("keeps a second run out until the first lets go", async () => {
    await within({}, async () => {
      await expect(openRunFolder(folder, {}, { resume: true })).rejects.toThrow(/another run works.*process \d+/);
    });
    expect(existsSync(lock())).toBe(false);
    await within({}, async () => undefined, true);
  });

  it("is taken over from a process that has ended, also when its number is used again", async () => {
    await mkdir(folder);
    const { host } = thisProcess();
    const ended = { host, pid: spawnSync(process.execPath, ["-e", ""]).pid, started: "a boot 1" };
    for (const holder of [ended, { host, pid: process.pid, started: "a boot 1" }]) {
      await writeFile(lock(), JSON.stringify(holder));
      await within({}, async () => undefined);
      expect(existsSync(lock())).toBe(false);
    }
  });

  it("is not taken from another machine, nor where it cannot be read", async () => {
    await mkdir(folder);
    await writeFile(lock(), JSON.stringify({ host: `not ${hostname()}`, pid: 1, started: "" }));
    await expect(openRunFolder(folder, {})).rejects.toThrow(/another machine.*remove/);
    await writeFile(lock(), "");
    await expect(openRunFolder(folder, {})).rejects.toThrow(/nobody can read/);
    expect(await readdir(folder)).toEqual([".lithe-lock"]);
  });

  it("goes to exactly one of many that come at once", async () => {
    await mkdir(folder);
    const { host } = thisProcess();
    await writeFile(lock(), JSON.stringify({ host, pid: spawnSync(process.execPath, ["-e", ""]).pid, started: "x" }));
    const opened = await Promise.allSettled(Array.from({ length: 8 }, () => openRunFolder(folder, {})));
    const won = opened.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
    expect(won).toHaveLength(1);
    await won[0]![Symbol.asyncDispose]();
  });
});
