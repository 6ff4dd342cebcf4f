/**
 * @file A process that trains into the folder of its first argument and tells each step, for the test that kills it; at the step of its
 * second argument it waits for that.
 */
import { fit } from "../src/train/index.ts";
import { network, options } from "./moons.ts";

const [, , folder, last] = process.argv;

async function onStep({ step }: { readonly step: number }): Promise<undefined> {
  process.stdout.write(`step ${step}\n`);
  if (step !== Number(last)) return;
  const endless = 2 ** 30;
  await new Promise(() => setInterval(() => undefined, endless));
}

const run = fit(network(), { ...options(), checkpoint: { folder: folder!, everySteps: 2 }, callbacks: { onStep } });
await run.result;
process.stdout.write("finished\n");
