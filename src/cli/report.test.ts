import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { DataError, PathError } from "../errors.ts";
import type { Console } from "../job/console.ts";
import { command } from "./report.ts";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "lithe-"));
});
afterEach(() => rm(folder, { recursive: true }));

const console = { say: () => undefined } as unknown as Console;

it("says of a run without a report that it has not ended, and of another failure what it is", async () => {
  await expect(command.run([folder], {}, console)).rejects.toThrow(DataError);
  await expect(command.run([folder], {}, console)).rejects.toThrow(/no report in this run.*when it ends/);
  await mkdir(join(folder, "report.json"));
  await expect(command.run([folder], {}, console)).rejects.toBeInstanceOf(PathError);
});
