/** @file The optional packages that are not installed, as doctor lists them. */
import type { Console } from "../job/console.ts";
import {
  installLine,
  isInstalled,
  isOptionalPackage,
  type OptionalPackage,
  optionalPackages,
} from "../job/packages.ts";

export function missingPackages(): OptionalPackage[] {
  return Object.keys(optionalPackages).filter(
    (name): name is OptionalPackage => isOptionalPackage(name) && !isInstalled(name),
  );
}

/** What the absent packages are for, and the one line that installs them. */
export function sayMissing({ say }: Console): void {
  const missing = missingPackages();
  if (missing.length === 0) return;
  say("");
  say("Not installed, and not needed by everything:");
  for (const name of missing) say(`  ${name.padEnd(23)} ${optionalPackages[name]}`);
  say(`Install with: ${installLine(missing)}`);
}
