import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readlinkSync } from "node:fs";
import { link, lstat, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { appendText, createAtomically, writeAtomically } from "./atomic-file.ts";
import { PathError } from "./errors.ts";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "lithe-"));
});
afterEach(() => rm(folder, { recursive: true }));

describe("writeAtomically", () => {
  it("makes missing folders and replaces what was there", async () => {
    const path = join(folder, "a", "b.txt");
    await writeAtomically(path, "one");
    await writeAtomically(path, Buffer.from("two"));
    expect(await readFile(path, "utf8")).toBe("two");
    expect(await readdir(join(folder, "a"))).toEqual(["b.txt"]);
  });

  it("leaves the old file and no other when writing fails", async () => {
    const path = join(folder, "b.txt");
    await writeAtomically(path, "one");
    const broken = writeAtomically(path, async (file) => {
      await file.write("half");
      throw new Error("the work failed");
    });
    await expect(broken).rejects.toThrow("the work failed");
    expect(await readFile(path, "utf8")).toBe("one");
    expect(await readdir(folder)).toEqual(["b.txt"]);
  });

  it("replaces no folder, pipe, socket or device, and waits for none", async () => {
    const server = createServer().listen(join(folder, "socket"));
    await new Promise((resolve) => server.once("listening", resolve));
    await mkdir(join(folder, "folder"));
    execFileSync("mkfifo", [join(folder, "pipe")]);
    await symlink("/dev/null", join(folder, "null"));
    try {
      for (const name of ["folder", "pipe", "socket", "null"]) {
        const path = join(folder, name);
        const before = await lstat(path);
        for (const write of [writeAtomically, appendText]) {
          await expect(write(path, "text"), name).rejects.toThrow(PathError);
        }
        expect((await lstat(path)).ino).toBe(before.ino);
      }
      await expect(writeAtomically("/dev/null", "text")).rejects.toThrow(/where a device is/);
      expect((await stat("/dev/null")).isCharacterDevice()).toBe(true);
    } finally {
      server.close();
    }
  });

  it("follows a link to its file, and refuses one that leads nowhere or around", async () => {
    await writeFile(join(folder, "file"), "one");
    await symlink("file", join(folder, "link"));
    await writeAtomically(join(folder, "link"), "two");
    expect(readlinkSync(join(folder, "link"))).toBe("file");
    expect(await readFile(join(folder, "file"), "utf8")).toBe("two");
    await symlink("nothing", join(folder, "astray"));
    await expect(writeAtomically(join(folder, "astray"), "x")).rejects.toThrow(/leads nowhere/);
    await symlink("circle", join(folder, "circle"));
    await expect(writeAtomically(join(folder, "circle"), "x")).rejects.toThrow(/circle of symbolic links.*got ELOOP/);
  });

  it("changes one of the names of a file alone", async () => {
    await writeFile(join(folder, "one"), "one");
    await link(join(folder, "one"), join(folder, "two"));
    await writeAtomically(join(folder, "one"), "new");
    expect(await readFile(join(folder, "two"), "utf8")).toBe("one");
  });

  it("names what the system refuses, with the path", async () => {
    await writeFile(join(folder, "file"), "");
    const long = "n".repeat(300);
    for (const [path, message] of [
      [join(folder, long), /too long.*got ENAMETOOLONG/],
      [join(folder, long, "deeper"), /too long.*got ENAMETOOLONG/],
      [join(folder, "file", "below"), /a file stands in its way/],
      [join(folder, "nul\0l"), /a character that no file name can have/],
      ["/proc/nowhere/file", /cannot make the folder/],
      ["/proc/file", /cannot write into the folder/],
      ["", /./],
    ] as const) {
      await expect(writeAtomically(path, "x"), path).rejects.toThrow(PathError);
      await expect(writeAtomically(path, "x"), path).rejects.toThrow(message);
    }
    expect(await readdir(folder)).toEqual(["file"]);
  });

  it("fits a name wherever the name itself fits", async () => {
    const path = join(folder, "n".repeat(255));
    await writeAtomically(path, "x");
    expect(await readFile(path, "utf8")).toBe("x");
  });

  it("says that the disk is full, and leaves the old file", async () => {
    const disk = smallDisk();
    try {
      const path = join(disk ?? folder, "model");
      await writeAtomically(path, "one");
      const full = Object.assign(new Error("ENOSPC: no space left on device, write"), {
        code: "ENOSPC",
        syscall: "write",
      });
      const writing = disk
        ? writeAtomically(path, new Uint8Array(2 ** 20))
        : writeAtomically(path, () => Promise.reject(full));
      await expect(writing).rejects.toThrow(/the disk is full; got ENOSPC; at .*model/);
      expect(await readFile(path, "utf8")).toBe("one");
      expect(await readdir(disk ?? folder)).toEqual(disk ? ["model"] : ["model"]);
    } finally {
      if (disk) execFileSync("umount", [disk]);
    }
  });
});

/** A file system of 64 KiB where one may be mounted. */
function smallDisk(): string | undefined {
  const disk = join(folder, "disk");
  mkdirSync(disk);
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], { stdio: "ignore" });
    return disk;
  } catch {
    execFileSync("rmdir", [disk]);
    return undefined;
  }
}

describe("createAtomically", () => {
  it("creates a file once", async () => {
    const path = join(folder, "a", "lock");
    const made = await Promise.all(["one", "two", "three"].map((text) => createAtomically(path, text)));
    expect(made.filter((isMade) => isMade)).toHaveLength(1);
    expect(await readFile(path, "utf8")).toBe(["one", "two", "three"][made.indexOf(true)]);
    expect(await readdir(join(folder, "a"))).toEqual(["lock"]);
  });
});

it("appends to a file that is made when it is missing", async () => {
  const path = join(folder, "events");
  await appendText(path, "one\n");
  await appendText(path, "two\n");
  expect(await readFile(path, "utf8")).toBe("one\ntwo\n");
  expect(existsSync(join(folder, ".events"))).toBe(false);
});
