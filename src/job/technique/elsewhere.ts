/** @file Whether a result gives the same answers on other execution providers: quantized files were silently wrong where nobody looked. */
import { agreementElsewhere, agreesElsewhere, type ProviderResult } from "../../accelerate/index.ts";
import type { Model } from "../../ir/index.ts";
import { openSession } from "../../runtime/index.ts";
import type { TableSection } from "../../technique/index.ts";
import type { LoadedData } from "../data/loaded-data.ts";
import type { SharedSettings } from "./settings.ts";

/** On each provider that was asked for, the answers of the same file against those on the chosen one. */
export async function answersElsewhere(
  model: Model,
  { evaluation }: Pick<LoadedData, "evaluation">,
  { ep, threads, checkEp = [] }: Pick<SharedSettings, "ep" | "threads" | "checkEp">,
): Promise<readonly ProviderResult[]> {
  if (checkEp.length === 0) return [];
  const samples = { verification: () => evaluation() };
  return await agreementElsewhere(openSession, model, samples, { ep, threads, otherProviders: checkEp });
}

/** Sentences about providers for which the file is refused: it answers otherwise there, or does not run. */
export function refusedElsewhere(results: readonly ProviderResult[]): string[] {
  return results
    .filter((result) => !agreesElsewhere(result))
    .map(
      ({ ep, build, status, reason }) =>
        `${status === "differs" ? "other answers" : "fails"} on ${ep} (${build}): ${reason}`,
    );
}

/** One line for a provider. */
export function lineElsewhere({ ep, build, status, reason }: ProviderResult): string {
  return `on ${ep.padEnd(7)}${status} (${build}): ${reason}`;
}

export function providerTable(results: readonly ProviderResult[]): TableSection {
  return {
    kind: "table",
    title: "The same answers elsewhere",
    head: ["provider", "build", "verdict", "why"],
    rows: results.map((result) => ({
      cells: [result.ep, result.build, result.status, result.reason],
      isChosen: agreesElsewhere(result),
    })),
  };
}
