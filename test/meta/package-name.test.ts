/** @file What readers are told to type: the registry's `lithe` is somebody else's package. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { root } from "./sources.ts";

/** `npx`, whatever its options are, followed by the other package; put together so that this file does not say it. */
const stranger = new RegExp(
  `${["np", "x"].join("")}(?:\\s+-\\S+)*\\s+lithe(?![\\w-])|npm (?:i|install|exec)(?:\\s+-\\S+)*\\s+lithe(?![\\w-])`,
);

it("nothing tells the reader to run or install the package that is not ours", () => {
  const listed = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
    cwd: root,
    encoding: "utf8",
  });
  const texts = listed.split("\0").filter((name) => /\.(ts|mjs|js|md|json|html|sh|yml)$|^\.ci\//.test(name));
  expect(texts.length).toBeGreaterThan(500);
  const found = texts.filter((name) => stranger.test(readFileSync(root + name, "utf8")));
  expect(found).toEqual([]);
});
