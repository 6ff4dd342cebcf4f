/** @file One message for all the packages that a command lacks: whoever installs what the first error names meets no second one. */
import { extname, join } from "node:path";
import { MissingPackageError } from "../errors.ts";
import { lookAt, namesIn } from "../file-system.ts";
import { installLine, isInstalled, isOptionalPackage, type OptionalPackage } from "../job/packages.ts";
import type { Parsed } from "./arguments.ts";

/** The error with every package that the command will ask for and that is not installed. */
export async function withAllPackages(error: unknown, { settings }: Pick<Parsed, "settings">): Promise<unknown> {
  if (!(error instanceof MissingPackageError) || !isOptionalPackage(error.got)) return error;
  const needed = new Set<OptionalPackage>([error.got, ...runtimesOf(settings), ...(await readersOf(settings))]);
  const missing = [...needed].filter((name) => name === error.got || !isInstalled(name));
  return new MissingPackageError(
    missing.length === 1 ? "the command needs an optional package" : "the command needs optional packages",
    {
      got: `without ${missing.join(" and ")}`,
      hint: `Install with: ${installLine(missing)} (behind a proxy that lets npm through alone, put ONNXRUNTIME_NODE_INSTALL=skip before it)`,
      cause: error,
    },
  );
}

function runtimesOf({ ep = "cpu", checkEp }: Parsed["settings"]): OptionalPackage[] {
  const providers = [ep, ...(Array.isArray(checkEp) ? checkEp : [])];
  return providers.map((each) => (each === "wasm" ? "onnxruntime-web" : "onnxruntime-node"));
}

/** Pictures are what folders of data hold, unless everything in them has the name of another format. */
async function readersOf({ data }: Parsed["settings"]): Promise<OptionalPackage[]> {
  if (typeof data !== "string" || !(await lookAt(data))?.isDirectory()) return [];
  const inner = await Promise.all((await namesIn(data)).map(async (name) => [name, ...(await within(data, name))]));
  return inner.flat().some((name) => /^\.(jpe?g|png|webp|gif|tiff?|avif)$/i.test(extname(name))) ? ["sharp"] : [];
}

async function within(folder: string, name: string): Promise<readonly string[]> {
  const path = join(folder, name);
  return (await lookAt(path))?.isDirectory() ? await namesIn(path) : [];
}
