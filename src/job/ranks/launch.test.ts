/** @file Ranks as threads: what they come to, and what is said of one that fails. The threads here run a script in the place of a command. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { launch } from "./launch.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "litheml-launch-"));
});
afterAll(() => rm(folder, { recursive: true }));

/** Rank 1 does `work`; the others end when it does. */
async function entry(work: string): Promise<string> {
  const path = join(folder, `${Math.abs(work.length)}-${work.replace(/\W/g, "").slice(0, 20)}.mjs`);
  const script = `
    import { parentPort, workerData } from "node:worker_threads";
    const { litheRank: rank, ports, words } = workerData;
    const post = (message) => parentPort.postMessage(message);
    const done = () => post({ type: "done", outcome: { result: { rank, words } } });
    const fail = (name, message) => post({ type: "failed", name, message });
    post({ type: "say", line: "hello from " + rank });
    if (rank === 1) { ${work} } else {
      ports[1].on("message", done);
      ports[1].on("close", () => fail("RankLostError", "rank 1 is gone"));
    }
  `;
  await writeFile(path, script);
  return path;
}

const ends = "for (const port of ports) port?.postMessage(1); done();";

async function launched(work: string, { restarts = 0, words = ["train"] } = {}) {
  const said: string[] = [];
  const signal = new AbortController().signal;
  const console = { json: false, signal, say: (line: string) => said.push(line), progress: () => undefined };
  const outcome = await launch({ entry: await entry(work), words, ranks: 3, restarts }, console).catch(
    (error: Error) => error,
  );
  return { outcome, said };
}

describe("ranks as threads", () => {
  it("come to what rank 0 came to, which alone is heard", async () => {
    const { outcome, said } = await launched(ends);
    expect(outcome).toEqual({ result: { rank: 0, words: ["train"] } });
    expect(said).toEqual(["hello from 0"]);
  });

  it.each([
    ['fail("DataError", "a row is broken"); process.exit();', "rank 1 failed; got DataError: a row is broken"],
    ['throw new TypeError("no such thing");', "rank 1 failed; got TypeError: no such thing"],
    ["process.exit(3);", "rank 1 failed; got Error: its thread ended"],
  ])("end together when one fails, which is named with its cause: %s", async (work, message) => {
    const { outcome } = await launched(work);
    expect(String(outcome)).toContain(message);
  });

  it("tell wrong words as the command does", async () => {
    const { outcome } = await launched('fail("UsageError", "unknown option"); process.exit();');
    expect(String(outcome)).toContain("UsageError: unknown option");
  });

  it("begin again from the last checkpoint, as often as is said", async () => {
    const work = `if (words.includes("--resume")) { ${ends} } else throw new Error("once");`;
    const { outcome, said } = await launched(work, { restarts: 1 });
    expect(outcome).toEqual({ result: { rank: 0, words: ["train", "--resume"] } });
    expect(said.join("\n")).toMatch(/rank 1 failed.*once.*Started again from the last checkpoint, 1 of 1/);
    expect(String((await launched(work)).outcome)).toContain("once");
  });

  it("share no other command", async () => {
    const { outcome } = await launched(ends, { words: ["bench"] });
    expect(String(outcome)).toContain('ranks do not share this command; expected train or finetune; got "bench"');
  });
});
