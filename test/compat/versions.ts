/** @file The versions of ONNX Runtime that people deploy on: the newest patch of the last minor versions, from the registry. */
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Target } from "./compat.ts";
import type { Build } from "./runtime.ts";

const MINORS = 6;
const packages = ["onnxruntime-node", "onnxruntime-web"];

/** Newest last. */
async function recentVersions(): Promise<string[]> {
  const [first = [], ...others] = await Promise.all(packages.map(releasesOf));
  const shared = first.filter((version) => others.every((list) => list.includes(version)));
  const newest = new Map<string, string>();
  for (const version of shared.sort(byNumber)) newest.set(version.split(".").slice(0, 2).join("."), version);
  return [...newest.values()].slice(-MINORS);
}

async function releasesOf(name: string): Promise<string[]> {
  const versions = JSON.parse(await npm(["view", name, "versions", "--json"])) as string[];
  return versions.filter((version) => /^\d+\.\d+\.\d+$/.test(version));
}

function byNumber(a: string, b: string): number {
  const [left, right] = [a, b].map((version) => version.split(".").map(Number));
  const differs = left!.findIndex((part, i) => part !== right![i]);
  return differs < 0 ? 0 : left![differs]! - right![differs]!;
}

const cacheFolder = fileURLToPath(new URL("../../node_modules/.cache/compat", import.meta.url));

/** The builds of the given versions, or of the recent ones; newest last. */
export async function installedTargets(builds: readonly Build[], versions?: readonly string[]): Promise<Target[]> {
  const targets: Target[] = [];
  for (const version of versions ?? (await recentVersions())) {
    const folder = await installed(version, cacheFolder);
    for (const build of builds) targets.push({ version, build, folder });
  }
  return targets;
}

/** Both builds of a version in a folder of their own, installed once. */
async function installed(version: string, cache: string): Promise<string> {
  const folder = join(cache, version);
  if (packages.every((name) => existsSync(join(folder, "node_modules", name, "package.json")))) return folder;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true }));
  const wanted = packages.map((name) => `${name}@${version}`);
  await npm(["install", "--prefix", folder, "--ignore-scripts", "--no-audit", "--no-fund", "--no-save", ...wanted]);
  return folder;
}

async function npm(words: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)("npm", words, { maxBuffer: 2 ** 26 });
  return stdout;
}
