/** @file WebGPU without a GPU: Chromium's software Vulkan, where there is one. */
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { findChromium } from "../src/runtime/node/chromium.ts";

/** The installed Chromium, if any. */
export const chromium = findChromium();

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
