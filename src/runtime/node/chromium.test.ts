/** @file What browsers leave behind: nothing, whatever their maker dies of. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { lstatSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { chromium } from "../../../test/swiftshader.ts";

const cwd = fileURLToPath(new URL("../../../", import.meta.url));

let place: string;
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), "l-"));
});
afterEach(() => rmSync(place, { recursive: true }));

/** A program that has a page open when it says so. */
function withPage(then: string) {
  const body = `
    import { judgeOf } from "./dist/runtime/index.js";
    const judge = await judgeOf("webgpu");
    console.log(judge.isPage);
    ${then}`;
  const stdio = ["ignore", "pipe", "inherit"] as const;
  const env = { ...process.env, TMPDIR: place };
  return spawn(process.execPath, ["--input-type=module", "-e", body], { cwd, env, stdio: [...stdio] });
}

/** The browser's lock of its profile goes last. */
function isLocked(profile: string): boolean {
  return lstatSync(join(place, profile, "SingletonLock"), { throwIfNoEntry: false }) !== undefined;
}

describe.skipIf(!chromium)("a headless browser leaves nothing [needs Chromium; CHROMIUM_PATH names one]", () => {
  it.each([
    ["was closed", "await judge[Symbol.asyncDispose]();"],
    ["was still open", "process.exit();"],
  ])("in the temporary folder when it %s", async (_, then) => {
    const program = withPage(then);
    const [[told], [code]] = await Promise.all([once(program.stdout, "data"), once(program, "close")]);
    expect([String(told), code]).toEqual(["true\n", 0]);
    expect(readdirSync(place)).toEqual([]);
  });

  it("of a killed program after the next one began", async () => {
    const killed = withPage("setInterval(() => undefined, 1000);");
    expect(String(await once(killed.stdout, "data"))).toBe("true\n");
    const [profile] = readdirSync(place);
    const closed = once(killed, "close");
    killed.kill("SIGKILL");
    await closed;
    await vi.waitFor(() => expect(isLocked(profile!)).toBe(false), { timeout: 600_000, interval: 20 });
    expect(readdirSync(place)).toEqual([profile]);
    const next = withPage("await judge[Symbol.asyncDispose]();");
    await once(next, "close");
    expect(readdirSync(place)).toEqual([]);
  });
});
