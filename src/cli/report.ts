/** @file `lithe report RUN`: the page of a finished run. */

import { join } from "node:path";
import * as z from "zod";
import { writeAtomically } from "../atomic-file.ts";
import { DataError } from "../errors.ts";
import { isMissing, readText } from "../file-system.ts";
import type { Console, Outcome } from "../job/console.ts";
import { checkOutputFile } from "../job/run/output.ts";
import { pageOfReport } from "../report/index.ts";
import { setting, text } from "../settings/index.ts";
import { defineCommand } from "./command.ts";

const settings = z.strictObject({
  out: setting("-o, --out <file>", "the HTML file (default: report.html in the folder)", text().exactOptional()),
});

async function run([given]: readonly string[], { out }: z.output<typeof settings>, { say }: Console): Promise<Outcome> {
  const source = given!.endsWith(".json") ? given! : join(given!, "report.json");
  const text = await readText(source).catch((cause: unknown) => {
    if (!isMissing(cause)) throw cause;
    throw new DataError("there is no report in this run", {
      where: source,
      cause,
      hint: "A run writes report.json when it ends.",
    });
  });
  const target = out ?? source.replace(/\.json$/, ".html");
  await checkOutputFile(target, [source]);
  await writeAtomically(target, pageOfReport(text, source));
  say(target);
  return { result: { report: target } };
}

export const command = defineCommand({
  operands: [["<run>", "the folder of a run, or its report.json"]],
  settings,
  run,
});
