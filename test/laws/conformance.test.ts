/** @file Regressions against the manifest of conformance cases. `scripts/conformance.ts --update` writes it. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { allCases } from "../conformance/cases.ts";
import { type CheckName, checkNames, type Failures, failuresOf } from "../conformance/checks.ts";
import { formatManifest, parseManifest } from "../conformance/manifest.ts";
import { DIED, runtimeProcess } from "../conformance/runtime.ts";
import { describeShared } from "../shared.ts";

const manifestFile = fileURLToPath(new URL("../onnx-backend.txt", import.meta.url));
const listed = parseManifest(readFileSync(manifestFile, "utf8"));

/** The large models are evaluated by the script alone, and what ends the runtime's process is not tried again. */
function isTried(name: string, check: CheckName): boolean {
  if (check === "reference") return !name.startsWith("light/");
  return check !== "runtime" || listed.get(name)?.get("runtime") !== DIED;
}

describeShared("conformance", () => {
  const found = new Map<string, Failures>();
  const runtime = runtimeProcess();

  beforeAll(async () => {
    for (const test of allCases()) {
      found.set(test.name, await failuresOf(test, runtime, (check) => isTried(test.name, check)));
    }
  });

  afterAll(() => runtime.close());

  it("lists exactly the cases that there are", () => {
    expect([...listed.keys()]).toEqual([...found.keys()]);
  });

  it.each(checkNames)("%s: nothing that passed fails", (check) => {
    const regressions = [...found].flatMap(([name, failures]) => {
      const reason = failures.get(check);
      return reason !== undefined && !listed.get(name)?.has(check) ? [`${name}: ${reason}`] : [];
    });
    expect(regressions).toEqual([]);
  });

  it("tells what passes now", () => {
    const improved = [...found].flatMap(([name, failures]) =>
      checkNames
        .filter((check) => isTried(name, check) && listed.get(name)?.has(check) && !failures.has(check))
        .map((check) => `${name}: ${check}`),
    );
    if (improved.length > 0) {
      console.info(
        `${improved.length} checks pass that the manifest does not list; run scripts/conformance.ts --update:`,
      );
      console.info(improved.slice(0, 20).join("\n"));
    }
    expect(formatManifest(parseManifest(formatManifest(listed)))).toBe(formatManifest(listed));
  });
});
