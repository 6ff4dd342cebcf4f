/** @file `lithe doctor`: what this machine can run, and which forms pay on it. */
import type { Command } from "commander";
import { formatBytes } from "../report/index.ts";
import { cpuSaturates, describeHardware, executionProviders, probeProviders } from "../runtime/index.ts";
import type { CommandModule, Console, Outcome } from "./command.ts";
import { choice } from "./options.ts";
import { version } from "./version.ts";

function declare(command: Command): void {
  command
    .addOption(choice("--ep <provider>", "provider whose forms are measured", executionProviders, "cpu"))
    .option("--probe", "measure the forms and keep the table for quantize and accelerate");
}

async function run(_: readonly string[], __: Readonly<Record<string, unknown>>, console: Console): Promise<Outcome> {
  const hardware = await describeHardware();
  const providers = await probeProviders();
  const saturates = await cpuSaturates();
  const result = {
    lithe: version,
    ...hardware,
    runtimes: Object.fromEntries(hardware.runtimes),
    providers: Object.fromEntries(providers),
    int8Saturates: saturates,
  };
  const { say } = console;
  say(`lithe ${version}, Node ${hardware.node}, ${[...hardware.runtimes].map((entry) => entry.join(" ")).join(", ")}`);
  say(
    `${hardware.cpu}, ${hardware.cores} cores, ${formatBytes(hardware.memory)}, ${hardware.platform} ${hardware.arch}`,
  );
  for (const [ep, state] of providers)
    say(`${ep.padEnd(7)} ${state.works ? "works" : `does not work: ${state.reason}`}`);
  say(
    saturates
      ? "int8: sums of products saturate on this processor; weights get 7 bits"
      : "int8: sums of products are exact on this processor; weights keep 8 bits",
  );
  return { result };
}

export const command: CommandModule = { declare, run };
