import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { writeAtomically } from "./atomic-file.ts";

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
      throw new Error("disk full");
    });
    await expect(broken).rejects.toThrow("disk full");
    expect(await readFile(path, "utf8")).toBe("one");
    expect(await readdir(folder)).toEqual(["b.txt"]);
  });
});
