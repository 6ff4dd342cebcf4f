/**
 * @file Proves that a change of the code changes nothing that lithe makes. Exit code 1 when something is made differently.
 *
 *     npm run replay                            # structures, against those that were accepted
 *     npm run replay -- --accept                # accepts them as they are now
 *     npm run replay -- --against main          # this tree against a commit: bytes and pretrained models too
 *     npm run replay -- --against HEAD --only "quantized: static"
 */
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { families } from "../test/golden/replay/families/index.ts";
import { accept, acceptedStructures, complaint, type Structures, structuresOf } from "../test/golden/replay/replay.ts";
import { type Comparison, compareWith } from "./replay/against.ts";
import { record } from "./replay/record.ts";

const root = fileURLToPath(new URL("../", import.meta.url));

const { values } = parseArgs({
  options: {
    accept: { type: "boolean", default: false },
    against: { type: "string" },
    only: { type: "string", default: "" },
    record: { type: "string" },
  },
});
if (values.against !== undefined) {
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(130));
}

if (values.record !== undefined) await record(values.record, values.only);
else if (values.against !== undefined) showComparison(await compareWith(root, values.against, values.only));
else await judgeStructures();

async function judgeStructures(): Promise<void> {
  const found = await allStructures();
  const said = complaint(acceptedStructures(), found);
  console.log(said || `${Object.keys(found).length} cases, as accepted`);
  if (values.accept) accept(found);
  else if (said !== "") process.exitCode = 1;
}

async function allStructures(): Promise<Structures> {
  const all: Structures[] = [];
  for (const family of Object.keys(families)) {
    const before = process.cpuUsage().user;
    all.push(await structuresOf(family));
    const seconds = (process.cpuUsage().user - before) / 1e6;
    console.error(`${family}: ${Object.keys(all.at(-1)!).length} cases, ${seconds.toFixed(1)} s`);
  }
  return Object.assign({}, ...all);
}

function showComparison({ compared, differences, onlyHere, onlyThere }: Comparison): void {
  const word = (differs: boolean): string => (differs ? "differs" : "same");
  if (differences.length > 0) console.log("structure  bytes    case");
  for (const { name, structure, bytes } of differences) {
    console.log(`${word(structure).padEnd(10)} ${word(bytes).padEnd(8)} ${name}`);
  }
  for (const { name, diff } of differences) console.log(`\n== ${name}\n${diff}`);
  for (const [where, names] of Object.entries({ "this tree": onlyHere, [values.against!]: onlyThere })) {
    if (names.length > 0) console.log(`\nOnly in ${where}:\n${names.map((name) => `  ${name}`).join("\n")}`);
  }
  console.log(`\n${compared} cases in both, ${differences.length} made differently`);
  if (differences.length > 0 || compared === 0) process.exitCode = 1;
}
