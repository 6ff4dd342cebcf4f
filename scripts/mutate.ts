/**
 * @file Plants small bugs and sees whether the tests notice: on the lines that were changed, or in a sample of a folder, which goes on
 * where it was interrupted. Exit code 1 when a bug on changed lines went unnoticed.
 *
 *     npm run mutate [-- --base main] [--near]
 *     npm run mutate -- --folder src/quantize --sample 200 --seed 1 [--lanes 2] [--cap 90] [--again]
 */
import { parseArgs } from "node:util";
import { scoresPage } from "../experiments/mutation.ts";
import { judgeChanged } from "./mutation/changed.ts";
import { forgetUnnoticed, judgeFolders, root } from "./mutation/folders.ts";

const { values } = parseArgs({
  options: {
    folder: { type: "string", multiple: true },
    sample: { type: "string", default: "200" },
    seed: { type: "string", default: "1" },
    base: { type: "string" },
    lanes: { type: "string", default: "1" },
    cap: { type: "string", default: "90" },
    near: { type: "boolean", default: false },
    again: { type: "boolean", default: false },
  },
});
const [count, seed, lanes, cap] = [values.sample, values.seed, values.lanes, values.cap].map(Number) as [
  number,
  number,
  number,
  number,
];
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(130));

const settings = { root, lanes, capMs: 1000 * cap, nearOnly: values.near, log: (line: string) => console.error(line) };
if (values.folder) {
  if (values.again) values.folder.forEach(forgetUnnoticed);
  console.log(scoresPage(await judgeFolders({ folders: values.folder, count, seed }, settings)));
} else {
  const score = await judgeChanged({ base: values.base, count, seed }, settings);
  console.log(scoresPage({ folders: [score], excluded: [] }));
  if (score.survivors.length > 0) process.exitCode = 1;
}
