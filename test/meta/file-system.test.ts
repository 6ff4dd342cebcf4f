/** @file The file system is reached in few places: what the system refuses is named in one, what is written goes through another. */
import { describe, expect, it } from "vitest";
import { importsOf, sourcesIn } from "./sources.ts";

/** Files that may call the system, and why. */
const callers: Readonly<Record<string, string>> = {
  "src/file-system.ts": "names what the system refuses",
  "src/atomic-file.ts": "writes",
  "src/temporary-folder.ts": "makes folders, and removes those of the dead while nothing can fail of it",
  "src/process-identity.ts": "asks /proc about processes, and takes every failure for no answer",
  "src/built-file.ts": "looks whether a file of the package exists",
  "src/cli/unanswered.ts": "answers while the process ends, when nothing can wait",
  "src/runtime/node/hardware.ts": "asks /proc and packages, and takes every failure for no answer",
  "src/runtime/node/chromium.ts": "looks for a browser and gives it a folder of its own",
  "src/runtime/node/judge-server.ts": "serves files of the package and of the runtime",
  "src/runtime/node/backend.ts": "reads the profile that the runtime writes",
};

const writing =
  /\b((writeFile|appendFile|rename|copyFile|cp|link|symlink|truncate)(Sync)?\(|createWriteStream|O_(CREAT|WRONLY|RDWR|APPEND|TRUNC)\b)/;

const sources = sourcesIn("src");

describe("the file system", () => {
  it("is called by few files", () => {
    const found = sources.filter((source) =>
      importsOf(source).some(({ specifier }) => /^(node:)?fs(\/promises)?$/.test(specifier)),
    );
    expect(found.map(({ path }) => path).sort()).toEqual(Object.keys(callers).sort());
  });

  it("is written to by one", () => {
    const writers = sources.filter(
      (source) =>
        source.path in callers &&
        source.text
          .split("\n")
          .filter((line) => !/^\s*(\*|\/\*|\/\/)/.test(line))
          .some((line) => writing.test(line)),
    );
    expect(writers.map(({ path }) => path)).toEqual(["src/atomic-file.ts"]);
  });
});
