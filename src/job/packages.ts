/** @file The optional packages: what each is for, which are installed, and the line that installs the others. */
import { createRequire } from "node:module";

export const optionalPackages = {
  "onnxruntime-node": "runs models on the processor and on WebGPU: every command that measures or trains",
  "onnxruntime-web": "runs models as pages do: --ep wasm and --check-ep wasm",
  sharp: "reads pictures: JPEG, PNG, WebP, GIF, TIFF, AVIF",
  "@huggingface/tokenizers": "reads tokenizers of published language models",
} as const;

export type OptionalPackage = keyof typeof optionalPackages;

export function isOptionalPackage(name: string | undefined): name is OptionalPackage {
  return name !== undefined && Object.hasOwn(optionalPackages, name);
}

/** Whether a program here finds the package. */
export function isInstalled(name: OptionalPackage): boolean {
  try {
    createRequire(import.meta.url).resolve(name);
    return true;
  } catch (error) {
    // A package that has nothing for `require` is there all the same.
    return error instanceof Error && "code" in error && error.code === "ERR_PACKAGE_PATH_NOT_EXPORTED";
  }
}

/** `npm i` and the names. */
export function installLine(names: readonly OptionalPackage[]): string {
  return `npm i ${names.join(" ")}`;
}
