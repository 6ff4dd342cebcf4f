/** @file The real models and data beside the checkout; suites that need them skip by name where they are absent. */
import { existsSync } from "node:fs";
import { describe } from "vitest";
import { sharedRoot } from "./shared-root.ts";

export const hasShared = existsSync(sharedRoot);

/** Path of a file under the shared folder. */
export function sharedPath(relative: string): string {
  return sharedRoot + relative;
}

/** `describe`, skipped under a name that says why when the shared folder is absent. */
export function describeShared(name: string, body: () => void): void {
  if (hasShared) describe(name, body);
  else describe.skip(`${name} [needs ../shared]`, body);
}
