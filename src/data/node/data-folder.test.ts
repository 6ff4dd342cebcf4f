import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { openData } from "../open-data.ts";

const folder = mkdtempSync(join(tmpdir(), "lithe-data-folder-"));
afterAll(() => rmSync(folder, { recursive: true }));

function folderOf(name: string, files: readonly string[]): string {
  const path = join(folder, name);
  mkdirSync(path);
  for (const [i, file] of files.entries()) writeFileSync(join(path, file), `a,b\n${i},${i}\n${i},${i}\n`);
  return path;
}

it("a folder with one file of samples is that file, and one with several that for training", async () => {
  const one = await openData(folderOf("one", ["table.csv", "README.md", "labels.csv"].slice(0, 2)));
  expect([one.size, one.assumptions?.[0]]).toEqual([2, "of the folder, table.csv is read"]);
  const several = await openData(folderOf("several", ["test.csv", "my-train.csv", "dev.csv"]));
  expect(several.assumptions?.[0]).toBe("of the folder, my-train.csv is read");
});

it("which of several files is meant is asked, and a folder without any is one of pictures", async () => {
  await expect(openData(folderOf("two", ["a.csv", "b.csv"]))).rejects.toThrow(
    /several files of data; expected one, or one for training; got a\.csv, b\.csv; at .*Give one of them/,
  );
  await expect(openData(folderOf("none", ["README.md"]))).rejects.toThrow(/holds no pictures/);
});
