/** @file The machine and the versions that a report speaks of. */
import type { Environment } from "../../report/index.ts";
import { describeHardware } from "../../runtime/index.ts";
import { version } from "../version.ts";

export async function environment(): Promise<Environment> {
  const { platform, arch, cpu, cores, flags, memory, node, runtimes } = await describeHardware();
  const deciding = new Set(["avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm"]);
  return {
    lithe: version,
    node,
    onnxruntime: [...runtimes].map(([name, found]) => `${name.replace("onnxruntime-", "")} ${found}`).join(", "),
    os: `${platform} ${arch}`,
    cpu,
    cpuFlags: flags.filter((flag) => deciding.has(flag)),
    cores,
    memoryGiB: memory / 2 ** 30,
  };
}
