/** @file `lithe doctor`: what this machine can run, and which forms pay on it. */
import * as z from "zod";
import type { Console, Outcome } from "../job/console.ts";
import { isInstalled } from "../job/packages.ts";
import { runtimeSettings } from "../job/settings/settings.ts";
import { version } from "../job/version.ts";
import { formatBytes } from "../report/index.ts";
import { cpuSaturates, describeHardware, executionProviders, probeProviders } from "../runtime/index.ts";
import { beside, choice, flag, only, setting } from "../settings/index.ts";
import { defineCommand } from "./command.ts";
import { probeAndKeep } from "./form-probe.ts";
import { missingPackages, sayMissing } from "./missing-list.ts";

const probing = beside("--probe");
const { threads } = runtimeSettings;

const settings = z.strictObject({
  ep: only(
    probing,
    setting("--ep <provider>", "provider whose forms are measured", choice(executionProviders).default("cpu")),
  ),
  threads: only(probing, threads),
  probe: setting("--probe", "measure the forms and keep the table for quantize and accelerate", flag().exactOptional()),
});

async function run(
  _: readonly string[],
  { ep = "cpu", threads = 1, probe }: z.output<typeof settings>,
  console: Console,
): Promise<Outcome> {
  const hardware = await describeHardware();
  const providers = await probeProviders();
  const saturates = isInstalled("onnxruntime-node") ? await cpuSaturates() : undefined;
  if (!console.json) {
    const { say } = console;
    const runtimes = [...hardware.runtimes].map((entry) => entry.join(" "));
    say([`lithe ${version}`, `Node ${hardware.node}`, ...runtimes].join(", "));
    const { cpu, cores, memory, platform, arch } = hardware;
    say(`${cpu}, ${cores} cores, ${formatBytes(memory)}, ${platform} ${arch}`);
    for (const [name, state] of providers) {
      say(`${name.padEnd(7)} ${state.works ? "works" : `does not work: ${state.reason}`}`);
    }
    if (saturates === true) say("int8: sums of products saturate here; weights get 7 bits");
    if (saturates === false) say("int8: sums of products are exact here; weights keep 8 bits");
    sayMissing(console);
  }
  const forms = probe ? await probeAndKeep(ep, threads, console) : undefined;
  const result = {
    lithe: version,
    ...hardware,
    runtimes: Object.fromEntries(hardware.runtimes),
    providers: Object.fromEntries(providers),
    int8Saturates: saturates ?? null,
    missing: missingPackages(),
    ...(forms && { forms }),
  };
  return { result };
}

export const command = defineCommand({ operands: [], settings, run });
