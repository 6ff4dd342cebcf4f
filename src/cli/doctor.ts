/** @file `lithe doctor`: what this machine can run, and which forms pay on it. */

import * as z from "zod";
import type { Console, Outcome } from "../job/console.ts";
import {
  installLine,
  isInstalled,
  isOptionalPackage,
  type OptionalPackage,
  optionalPackages,
} from "../job/packages.ts";
import { runtimeSettings } from "../job/settings/settings.ts";
import { version } from "../job/version.ts";
import { formatBytes } from "../report/index.ts";
import { cpuSaturates, describeHardware, executionProviders, probeProviders } from "../runtime/index.ts";
import { beside, choice, flag, only, setting } from "../settings/index.ts";
import { defineCommand } from "./command.ts";
import { probeAndKeep } from "./form-probe.ts";

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
    say(
      [`lithe ${version}`, `Node ${hardware.node}`, ...[...hardware.runtimes].map((entry) => entry.join(" "))].join(
        ", ",
      ),
    );
    say(
      `${hardware.cpu}, ${hardware.cores} cores, ${formatBytes(hardware.memory)}, ${hardware.platform} ${hardware.arch}`,
    );
    for (const [name, state] of providers) {
      say(`${name.padEnd(7)} ${state.works ? "works" : `does not work: ${state.reason}`}`);
    }
    if (saturates !== undefined) say(`int8: sums of products ${saturates ? SATURATING : EXACT}`);
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

const SATURATING = "saturate here; weights get 7 bits";
const EXACT = "are exact here; weights keep 8 bits";

function missingPackages(): OptionalPackage[] {
  return Object.keys(optionalPackages).filter(
    (name): name is OptionalPackage => isOptionalPackage(name) && !isInstalled(name),
  );
}

/** What the absent packages are for, and the one line that installs them. */
function sayMissing({ say }: Console): void {
  const missing = missingPackages();
  if (missing.length === 0) return;
  say("");
  say("Not installed, and not needed by everything:");
  for (const name of missing) say(`  ${name.padEnd(23)} ${optionalPackages[name]}`);
  say(`Install with: ${installLine(missing)}`);
}

export const command = defineCommand({ operands: [], settings, run });
