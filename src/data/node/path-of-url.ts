/** @file The path of a file that has an address. */
import { fileURLToPath } from "node:url";

export function pathOfUrl(url: URL): string {
  return fileURLToPath(url);
}
