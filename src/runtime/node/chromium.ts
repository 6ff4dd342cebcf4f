/** @file A headless Chromium of one page, which ends with this process. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, rmSync } from "node:fs";
import { makeTemporaryFolder } from "../../temporary-folder.ts";
import type { End } from "../protocol.ts";

const places = [
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/usr/bin/google-chrome-stable",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

/** The installed Chromium, if any. `CHROMIUM_PATH` names another one; empty, it says that there is none. */
export function findChromium(): string | undefined {
  const { CHROMIUM_PATH } = process.env;
  if (CHROMIUM_PATH === "") return undefined;
  return [CHROMIUM_PATH, ...places].find((path): path is string => path !== undefined && existsSync(path));
}

export interface Chromium {
  readonly ended: Promise<End>;
  /** Whether the program waits for it. */
  hold(held: boolean): void;
  kill(): Promise<void>;
}

/** Ends the browser when the pipe between them closes, which the death of this process does too. */
const ENDS_WITH_PARENT = "--remote-debugging-pipe";

const quiet = [
  ...["--headless", "--no-first-run", "--no-default-browser-check", "--disable-extensions", "--disable-sync"],
  ...["--disable-background-networking", "--disable-component-update", "--mute-audio", ENDS_WITH_PARENT],
];

/** Browsers that run, with their profiles. */
const living = new Map<ChildProcess, string>();

process.on("exit", () => {
  for (const [child, profile] of living) {
    killGroup(child);
    removeProfile(profile);
  }
});

/** Bytes of a folder's path with which a socket's in it, `org.chromium.Chromium.XXXXXX/SingletonSocket`, is as long as the system takes. */
const LONGEST = 62;

/** A killed browser leaves its own temporary folders, which the profile takes along. */
function environmentFor(profile: string): NodeJS.ProcessEnv {
  return Buffer.byteLength(profile) <= LONGEST ? { ...process.env, TMPDIR: profile } : process.env;
}

/** Processes of the browser may still write for a moment. */
function removeProfile(profile: string): void {
  try {
    rmSync(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
  } catch {
    // The next process that makes a temporary folder takes it away.
  }
}

/** @param flags how the browser finds an adapter. */
export function startChromium(path: string, url: string, flags: readonly string[]): Chromium {
  const profile = makeTemporaryFolder("chromium");
  // No sandbox can be made by root.
  const unconfined = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
  const child = spawn(path, [...quiet, ...unconfined, ...flags, `--user-data-dir=${profile}`, url], {
    stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"],
    env: environmentFor(profile),
    detached: process.platform !== "win32",
  });
  living.set(child, profile);
  const pipes = [child.stdio[3], child.stdio[4]] as unknown as { ref(): void; unref(): void; on: ChildProcess["on"] }[];
  for (const pipe of pipes) pipe.on("error", () => undefined);
  const ended = new Promise<End>((resolve) => {
    child.on("error", (error) => resolve({ reason: `Chromium could not be started: ${error.message}` }));
    child.on("exit", (code, signal) => {
      killGroup(child);
      living.delete(child);
      resolve({ reason: signal ? `Chromium was ended by ${signal}` : `Chromium exited with code ${code}` });
    });
  }).finally(() => removeProfile(profile));
  return {
    ended,
    hold(held) {
      for (const handle of [child, ...pipes]) held ? handle.ref() : handle.unref();
    },
    async kill() {
      this.hold(true);
      killGroup(child);
      await ended;
    },
  };
}

function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(process.platform === "win32" ? pid : -pid, "SIGKILL");
  } catch {
    // It has ended.
  }
}
