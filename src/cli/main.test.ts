import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

vi.mock("./commands.ts", async () => {
  const z = await import("zod");
  const does = (run: (args: never, options: never, console: { say(line: string): void }) => Promise<object>) => ({
    summary: "a command",
    examples: ["works", "works --json"],
    runsNothing: true,
    load: async () => ({ operands: [], settings: z.strictObject({}), run }),
  });
  return {
    helpText: () => "the help\n",
    commands: {
      works: does(async (_, __, { say }) => {
        say("at work");
        return { result: { value: 1 } };
      }),
      breaks: does(async () => ({ result: { value: 2 }, ok: false })),
      refuses: does(async () => {
        throw new (await import("../errors.ts")).UsageError("not like this");
      }),
      fails: does(async () => {
        throw new TypeError("a defect");
      }),
      starves: does(async () => {
        throw Object.assign(new Error("EMFILE: too many open files"), { code: "EMFILE", syscall: "open" });
      }),
      misses: does(async () => {
        throw Object.assign(new Error("EACCES"), { code: "EACCES", syscall: "open", path: "/a/file" });
      }),
    },
  };
});

const { argv } = process;
let texts = { stdout: "", stderr: "" };
beforeEach(() => {
  texts = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    vi.spyOn(process[name], "write").mockImplementation((text) => {
      texts[name] += String(text);
      return true;
    });
  }
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  process.argv = argv;
});

/** What the program leaves behind after these words. */
async function ended(...words: readonly string[]) {
  vi.resetModules();
  process.argv = ["node", "lithe", ...words];
  const exits = process.listenerCount("exit");
  const before = process.stdout.listeners("error");
  await import("./main.ts");
  const code = process.exitCode;
  process.exitCode = undefined;
  const [onError] = process.stdout.listeners("error").filter((each) => !before.includes(each)) as ((
    error: object,
  ) => void)[];
  process.stdout.off("error", onError!);
  return { code, ...texts, guards: process.listenerCount("exit") - exits, onError: onError! };
}

describe("the program", () => {
  it.each([
    [["--version"], 0, /^\d+\.\d+\.\d+.*\n$/],
    [["-V"], 0, /^\d+\.\d+\.\d+.*\n$/],
    [["--help"], 0, /^the help\n$/],
    [["-h"], 0, /^the help\n$/],
    [["help"], 0, /^the help\n$/],
    [[], 2, /^the help\n$/],
    [["works", "--help"], 0, /^Usage: lithe works/],
  ])("answers %j with code %i", async (words, code, text) => {
    const end = await ended(...words);
    expect([end.code, end.stdout, end.stderr]).toEqual([code, expect.stringMatching(text), ""]);
  });

  it("prints what a command says, and with --json its result alone", async () => {
    expect(await ended("works")).toMatchObject({ code: 0, stdout: "at work\n", stderr: "" });
    texts = { stdout: "", stderr: "" };
    const { stdout, stderr } = await ended("works", "--json");
    expect([stdout, JSON.parse(stderr)]).toEqual(['{"value":1}\n', { type: "log", message: "at work" }]);
    expect((await ended("breaks")).code).toBe(1);
  });

  it("says nothing with --quiet but errors, and with --json beside it the object", async () => {
    expect(await ended("works", "--quiet")).toMatchObject({ code: 0, stdout: "", stderr: "" });
    expect(await ended("works", "--quiet", "--json")).toMatchObject({ stdout: '{"value":1}\n', stderr: "" });
    expect((await ended("refuses", "--quiet")).stderr).toBe("UsageError: not like this\n");
  });

  it("is no longer on guard when it has answered", async () => {
    expect((await ended("works")).guards).toBe(0);
    expect((await ended("fails")).guards).toBe(0);
  });

  it.each([
    [["absent"], 2, /^UsageError: there is no such command; expected works, .*got "absent". See lithe --help\.\n$/],
    [["work"], 2, /got "work"\. Did you mean works\?\n$/],
    [["refuses"], 2, /^UsageError: not like this\n$/],
    [["fails"], 1, /^InternalError: TypeError: a defect\n$/],
    [["starves"], 1, /^PathError: .*at the file system/],
    [["misses"], 1, /^PathError: .*at \/a\/file/],
  ])("answers %j with code %i and a sentence", async (words, code, text) => {
    const end = await ended(...words);
    expect([end.code, end.stdout, end.stderr]).toEqual([code, "", expect.stringMatching(text)]);
    texts = { stdout: "", stderr: "" };
    const asJson = await ended(...words, "--json");
    expect([asJson.code, asJson.stderr]).toEqual([code, ""]);
    expect(Object.keys(JSON.parse(asJson.stdout).error)).toEqual(expect.arrayContaining(["name", "message"]));
  });

  it("shows where a defect is to those who ask, and nothing more of what it refuses", async () => {
    vi.stubEnv("LITHE_DEBUG", "1");
    expect((await ended("fails")).stderr).toMatch(/^InternalError: .*\n.*\n +at /);
    texts = { stdout: "", stderr: "" };
    expect((await ended("refuses")).stderr).toBe("UsageError: not like this\n");
  });

  it("ends well when its reader has gone, and not when its output fails otherwise", async () => {
    const { onError } = await ended("works");
    const exit = vi.spyOn(process, "exit").mockImplementation((() => undefined) as never);
    onError({ code: "EPIPE" });
    onError({ code: "EIO" });
    expect(exit.mock.calls).toEqual([[0], [1]]);
  });
});
