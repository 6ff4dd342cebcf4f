/** @file WebGPU without a GPU: Chromium's software Vulkan, where there is one. */
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/** The installed Chromium, if any. */
export const chromium = [
  process.env.CHROMIUM_PATH,
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/usr/bin/google-chrome-stable",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
].find((path): path is string => path !== undefined && existsSync(path));

const folders = [
  "/usr/lib/chromium",
  "/usr/lib/chromium-browser",
  "/opt/google/chrome",
  ...(chromium ? [dirname(chromium)] : []),
];
const icd = "vk_swiftshader_icd.json";
const folder = folders.find((path) => existsSync(join(path, icd)) && existsSync(join(path, "libvulkan.so.1")));

/** What a process needs in its environment to find the adapter; `undefined` where there is none. */
export const swiftshader: NodeJS.ProcessEnv | undefined = folder
  ? { LD_LIBRARY_PATH: folder, VK_ICD_FILENAMES: join(folder, icd), XDG_RUNTIME_DIR: tmpdir() }
  : undefined;
