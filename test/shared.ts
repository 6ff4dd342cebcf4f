/** @file The real models and data beside the checkout; suites that need them skip by name where they are absent. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe } from "vitest";

const root = fileURLToPath(new URL("../../shared/", import.meta.url));

export const hasShared = existsSync(root);

/** Path of a file under the shared folder. */
export function sharedPath(relative: string): string {
  return root + relative;
}

/** `describe`, skipped under a name that says why when the shared folder is absent. */
export function describeShared(name: string, body: () => void): void {
  if (hasShared) describe(name, body);
  else describe.skip(`${name} [needs ../shared]`, body);
}
