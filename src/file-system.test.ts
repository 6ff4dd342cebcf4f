import { execFileSync } from "node:child_process";
import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LimitError, PathError } from "./errors.ts";
import { codeOf, fileError, isMissing, makeFolders, namesIn, readBytes, readText } from "./file-system.ts";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "lithe-"));
});
afterEach(() => rm(folder, { recursive: true }));

/** As the system throws it. */
const systemError = (code: string) =>
  Object.assign(new Error(`${code}: refused, open 'm.onnx'`), { code, syscall: "open" });

describe("what the system refuses", () => {
  it.each(Object.keys(constants.errno))("%s is named, with the path", (code) => {
    const error = fileError("open the file", "m.onnx", systemError(code));
    expect(error).toBeInstanceOf(PathError);
    expect(error.message).toMatch(new RegExp(`^cannot open the file: .*got ${code}; at m\\.onnx`));
    expect(codeOf(error)).toBe(code);
  });

  it("tells what to do about a full disk, a long name and open files", () => {
    expect(fileError("write", "m", systemError("ENOSPC")).message).toMatch(/disk is full.*Free some space/);
    expect(fileError("write", "m", systemError("ENAMETOOLONG")).message).toMatch(/too long.*shorter name/);
    expect(fileError("read", "m", systemError("EMFILE")).message).toMatch(/too many files open.*ulimit/);
  });

  it("leaves other errors alone", () => {
    const own = new LimitError("too large");
    const foreign = new TypeError("not a function");
    expect(fileError("read", "m", own)).toBe(own);
    expect(fileError("read", "m", foreign)).toBe(foreign);
  });
});

describe("reading", () => {
  it("takes regular files alone, and waits for nothing", async () => {
    execFileSync("mkfifo", [join(folder, "pipe")]);
    await symlink("circle", join(folder, "circle"));
    for (const path of [folder, join(folder, "pipe"), "/dev/zero", "/dev/null", join(folder, "circle")]) {
      await expect(readText(path), path).rejects.toThrow(PathError);
    }
    await writeFile(join(folder, "text"), "text");
    expect(await readText(join(folder, "text"))).toBe("text");
    await expect(readBytes(join(folder, "text"), 3)).rejects.toThrow(LimitError);
    for (const absent of [join(folder, "absent"), join(folder, "text", "below")]) {
      expect(isMissing(await readText(absent).catch((error: unknown) => error))).toBe(true);
      expect(await namesIn(absent)).toEqual([]);
    }
  });

  it("makes folders, and none through a file", async () => {
    await makeFolders(join(folder, "a", "b"));
    await makeFolders(join(folder, "a", "b"));
    await writeFile(join(folder, "file"), "");
    await expect(makeFolders(join(folder, "file", "c"))).rejects.toThrow(/a file stands in its way/);
    await expect(makeFolders("/proc/nowhere/c")).rejects.toThrow(PathError);
  });
});
