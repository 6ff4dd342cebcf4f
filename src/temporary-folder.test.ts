import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { PathError } from "./errors.ts";
import { thisProcess } from "./process-identity.ts";
import { makeTemporaryFolder } from "./temporary-folder.ts";

let place: string;
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), "lithe-"));
  vi.stubEnv("TMPDIR", place);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(place, { recursive: true });
});

it.skipIf(process.platform === "win32")(
  "takes away what ended processes of this machine left, and nothing else",
  () => {
    const { host, pid } = thisProcess();
    const ended = spawnSync(process.execPath, ["-e", ""]).pid;
    const left = `litheml-chromium-${host}-${ended}-Ab3_xY`;
    const kept = [
      `litheml-chromium-${host}-${pid}-aaaaaa`,
      `litheml-chromium-${"0".repeat(12)}-${ended}-aaaaaa`,
      `litheml-chromium-${host}-${ended}-aaaaaa.d`,
      `other-${host}-${ended}-aaaaaa`,
      "litheml-demo",
    ];
    for (const name of [left, ...kept]) mkdirSync(join(place, name));
    writeFileSync(join(place, left, "state"), "");
    const link = `litheml-chromium-${host}-${ended}-linked`;
    symlinkSync(join(place, "litheml-demo"), join(place, link));
    const made = makeTemporaryFolder("tensors");
    const others = readdirSync(place).filter((name) => join(place, name) !== made);
    expect(others.sort()).toEqual([...kept, link].sort());
    expect(readdirSync(made)).toEqual([]);
  },
);

it("is a named error where there is no place", () => {
  vi.stubEnv("TMPDIR", join(place, "none"));
  expect(() => makeTemporaryFolder("tensors")).toThrow(PathError);
});
