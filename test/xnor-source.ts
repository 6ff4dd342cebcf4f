/** @file The kernel of products of signs, built from its text. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

/** As much of the package as is needed. */
interface Wabt {
  parseWat(
    name: string,
    text: string,
    features: { readonly simd: boolean },
  ): { toBinary(options: object): { readonly buffer: Uint8Array }; destroy(): void };
}

/** The bytes in base 64. */
export async function builtKernel(): Promise<string> {
  const path = fileURLToPath(new URL("../src/runtime/xnor/xnor.wat", import.meta.url));
  const open = createRequire(import.meta.url)("wabt") as () => Promise<Wabt>;
  const parsed = (await open()).parseWat("xnor.wat", readFileSync(path, "utf8"), { simd: true });
  const { buffer } = parsed.toBinary({});
  parsed.destroy();
  return Buffer.from(buffer).toString("base64");
}
