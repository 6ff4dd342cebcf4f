/** @file A process that trains into the folder of its argument and tells each step, for the test that kills it. */
import { fit } from "../src/train/index.ts";
import { network, options } from "./moons.ts";

const folder = process.argv[2]!;
const run = fit(network(), { ...options(), checkpoint: { folder, everySteps: 2 } });
for await (const event of run) {
  if (event.type === "step") process.stdout.write(`step ${event.step}\n`);
}
await run.result;
process.stdout.write("finished\n");
