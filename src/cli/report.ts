/** @file `lithe report RUN`: the page of a finished run. */
import { join } from "node:path";
import type { Command } from "commander";
import { writeAtomically } from "../atomic-file.ts";
import { DataError } from "../errors.ts";
import { isMissing, readText } from "../file-system.ts";
import type { Console, Outcome } from "../job/console.ts";
import { checkOutputFile } from "../job/run/output.ts";
import { pageOfReport } from "../report/index.ts";
import type { CommandModule } from "./command.ts";

function declare(command: Command): void {
  command
    .argument("<run>", "the folder of a run, or its report.json")
    .option("-o, --out <file>", "the HTML file (default: report.html in the folder)");
}

async function run(
  [given]: readonly string[],
  { out }: Readonly<Record<string, unknown>>,
  { say }: Console,
): Promise<Outcome> {
  const source = given!.endsWith(".json") ? given! : join(given!, "report.json");
  const text = await readText(source).catch((cause: unknown) => {
    if (!isMissing(cause)) throw cause;
    throw new DataError("there is no report in this run", {
      where: source,
      cause,
      hint: "A run writes report.json when it ends.",
    });
  });
  const target = typeof out === "string" ? out : source.replace(/\.json$/, ".html");
  await checkOutputFile(target, [source]);
  await writeAtomically(target, pageOfReport(text, source));
  say(target);
  return { result: { report: target } };
}

export const command: CommandModule = { declare, run };
