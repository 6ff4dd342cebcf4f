/** @file `lithe doctor`: what this machine can run, and which forms pay on it. */
import type { Command } from "commander";
import type { Console, Outcome } from "../job/console.ts";
import { beside, only } from "../job/settings/conditions.ts";
import { choice, type RuntimeOptions, valued, whole } from "../job/settings/options.ts";
import { version } from "../job/version.ts";
import { formatBytes } from "../report/index.ts";
import { cpuSaturates, describeHardware, executionProviders, probeProviders } from "../runtime/index.ts";
import type { CommandModule } from "./command.ts";
import { probeAndKeep } from "./form-probe.ts";

interface DoctorOptions extends Pick<RuntimeOptions, "ep" | "threads"> {
  readonly probe?: boolean;
}

function declare(command: Command): void {
  command
    .addOption(
      only(
        beside("--probe"),
        choice("--ep <provider>", "provider whose forms are measured", executionProviders, "cpu"),
      ),
    )
    .addOption(only(beside("--probe"), valued("--threads <n>", "threads within an operator", whole(1), 1)))
    .option("--probe", "measure the forms and keep the table for quantize and accelerate");
}

async function run(_: readonly string[], given: Readonly<Record<string, unknown>>, console: Console): Promise<Outcome> {
  const { ep, threads, probe } = given as unknown as DoctorOptions;
  const hardware = await describeHardware();
  const providers = await probeProviders();
  const saturates = await cpuSaturates();
  if (!console.json) {
    const { say } = console;
    say(
      `lithe ${version}, Node ${hardware.node}, ${[...hardware.runtimes].map((entry) => entry.join(" ")).join(", ")}`,
    );
    say(
      `${hardware.cpu}, ${hardware.cores} cores, ${formatBytes(hardware.memory)}, ${hardware.platform} ${hardware.arch}`,
    );
    for (const [name, state] of providers) {
      say(`${name.padEnd(7)} ${state.works ? "works" : `does not work: ${state.reason}`}`);
    }
    say(
      `int8: sums of products ${saturates ? "saturate here; weights get 7 bits" : "are exact here; weights keep 8 bits"}`,
    );
  }
  const forms = probe ? await probeAndKeep(ep, threads, console) : undefined;
  const result = {
    lithe: version,
    ...hardware,
    runtimes: Object.fromEntries(hardware.runtimes),
    providers: Object.fromEntries(providers),
    int8Saturates: saturates,
    ...(forms && { forms }),
  };
  return { result };
}

export const command: CommandModule = { declare, run };
