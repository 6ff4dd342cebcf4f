/** @file The machine and the versions on it, for reports. */
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { arch, cpus, platform, release, totalmem } from "node:os";
import { dirname, join } from "node:path";
import { graphBuilder, model, tensor } from "../../ir/index.ts";
import type { Hardware, ProviderState } from "../hardware.ts";
import { type ExecutionProvider, executionProviders } from "../session.ts";
import { openSession } from "./open.ts";

const telling = /^(sse4_1|avx|avx2|avx_vnni|avx512\w*|amx\w*|fma|f16c|asimd\w*|i8mm|bf16|sve\w*)$/;
const packages = ["onnxruntime-node", "onnxruntime-web", "onnxruntime-common"] as const;

export function describeHardware(): Hardware {
  const [first] = cpus();
  return {
    platform: `${platform()} ${release()}`,
    arch: arch(),
    cpu: first?.model.trim() ?? "unknown",
    cores: cpus().length,
    flags: cpuFlags(),
    memory: totalmem(),
    node: process.versions.node,
    runtimes: new Map(packages.flatMap((name) => versionOf(name).map((version) => [name, version] as const))),
  };
}

function cpuFlags(): string[] {
  const path = "/proc/cpuinfo";
  if (!existsSync(path)) return [];
  const [, list = ""] = /^(?:flags|Features)\s*:\s*(.*)$/m.exec(readFileSync(path, "utf8")) ?? [];
  return list.split(" ").filter((flag) => telling.test(flag));
}

/** The version in the nearest package.json above a package's entry that has one; nothing when it is not installed. */
function versionOf(name: string): string[] {
  let folder: string;
  try {
    folder = dirname(createRequire(import.meta.url).resolve(name));
  } catch {
    return [];
  }
  for (; folder !== dirname(folder); folder = dirname(folder)) {
    const path = join(folder, "package.json");
    if (!existsSync(path)) continue;
    const { version } = JSON.parse(readFileSync(path, "utf8")) as { version?: string };
    if (version) return [version];
  }
  return [];
}

export async function probeProviders(): Promise<Map<ExecutionProvider, ProviderState>> {
  const states = await Promise.all(executionProviders.map(async (ep) => [ep, await probe(ep)] as const));
  return new Map(states);
}

async function probe(ep: ExecutionProvider): Promise<ProviderState> {
  const g = graphBuilder();
  g.output(g.op("Neg", [g.input("x", "float32", [2])]), "y");
  try {
    await using session = await openSession(model(g.build()), { ep, isolate: "process", limits: { time: 30_000 } });
    await session.run(new Map([["x", tensor("float32", [2], [1, 2])]]));
    return { works: true };
  } catch (error) {
    return { works: false, reason: (error as Error).message };
  }
}
