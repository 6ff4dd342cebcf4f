/** @file Processes that hold sessions: their death is an error, and they die with the process that made them. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it, vi } from "vitest";
import { denseFeeds, denseModel, divisionModel, fatalFeeds, loopModel } from "../../../test/models.ts";
import { swiftshader } from "../../../test/swiftshader.ts";
import { RuntimeError, UnsupportedError } from "../../errors.ts";
import { encodeModel } from "../../onnx/index.ts";
import { openSession } from "../open.ts";

const cwd = fileURLToPath(new URL("../../../", import.meta.url));

function script(model: Uint8Array, body: string): string[] {
  const head = `
    import { readFileSync } from "node:fs";
    import { openSession } from "./dist/runtime/index.js";
    import { tensor } from "./dist/ir/index.js";
    const bytes = Uint8Array.from(${JSON.stringify([...model])});`;
  return ["--input-type=module", "-e", head + body];
}

describe("a model that ends its process", () => {
  it("is an error with the model, the step and the signal, and the next session runs", async () => {
    await using session = await openSession(divisionModel(), { name: "m.onnx", step: "calibrating" });
    const failed = await session.run(fatalFeeds()).catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(RuntimeError);
    expect(failed).toMatchObject({
      got: expect.stringContaining("SIGFPE"),
      where: 'running model "m.onnx", step "calibrating"',
    });
    await expect(session.run(fatalFeeds())).rejects.toThrow("SIGFPE");
    await using next = await openSession(divisionModel());
    expect(next.outputs).toHaveLength(1);
  });

  it("leaves a program that waits for nothing else an answer", () => {
    const body = `
      const session = await openSession(bytes);
      const [a, b] = [tensor("int64", [1], BigInt64Array.of(-(2n ** 63n))), tensor("int64", [1], BigInt64Array.of(-1n))];
      try { await session.run(new Map([["a", a], ["b", b]])); } catch (error) { console.log(error.name, error.got); }`;
    const { status, stdout } = spawnSync(process.execPath, script(encodeModel(divisionModel()), body), {
      cwd,
      encoding: "utf8",
    });
    expect([status, stdout.trim()]).toEqual([0, "RuntimeError its process was ended by SIGFPE"]);
  });
});

it.skipIf(!existsSync("/proc/self/task"))("a process ends with its maker, also while native code runs", async () => {
  const body = `
    const session = await openSession(bytes);
    const x = tensor("float32", [128, 128], new Float32Array(128 * 128));
    void session.run(new Map([["trips", tensor("int64", [], BigInt64Array.of(2n ** 53n))], ["x", x]]));
    const [pid] = readFileSync("/proc/self/task/" + process.pid + "/children", "utf8").trim().split(" ");
    const ticks = () => Number(readFileSync("/proc/" + pid + "/stat", "utf8").split(") ")[1].split(" ")[11]);
    const before = ticks();
    while (ticks() < before + 10) await new Promise((done) => setTimeout(done, 5));
    console.log(pid);`;
  const maker = spawn(process.execPath, script(encodeModel(loopModel()), body), { cwd });
  const [told] = (await Promise.race([once(maker.stdout, "data"), once(maker, "close")])) as [unknown];
  const pid = Number(String(told));
  expect(pid).toBeGreaterThan(0);
  maker.kill("SIGKILL");
  await vi.waitFor(() => expect(existsSync(`/proc/${pid}/exe`)).toBe(false), { timeout: 600_000, interval: 20 });
});

it.skipIf(!swiftshader)("two sessions on webgpu run at once, each in its own process", async () => {
  const { env } = process;
  process.env = { ...env, ...swiftshader };
  try {
    await using a = await openSession(denseModel(), { ep: "webgpu" });
    await using b = await openSession(denseModel(2), { ep: "webgpu" });
    const [left, right] = await Promise.all([a.run(denseFeeds()), b.run(denseFeeds())]);
    expect([left.size, right.size]).toEqual([1, 1]);
  } finally {
    process.env = env;
  }
});

it("webgpu is never in the process of the program", async () => {
  await expect(openSession(divisionModel(), { ep: "webgpu", isolate: "thread" })).rejects.toThrow(UnsupportedError);
});
