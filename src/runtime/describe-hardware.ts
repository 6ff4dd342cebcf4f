/** @file The machine and the versions on it, looked at. */
import { UnsupportedError } from "../errors.ts";
import type { Hardware, ProviderState } from "./hardware.ts";
import { isNode } from "./platform.ts";
import type { ExecutionProvider } from "./session.ts";

/** What this machine is and which runtimes are installed on it. */
export async function describeHardware(): Promise<Hardware> {
  return (await nodeSide()).describeHardware();
}

/** The package and version in which a session of this provider runs here. */
export async function runtimeBuild(ep: ExecutionProvider): Promise<string> {
  const name = ep === "wasm" || !isNode ? "onnxruntime-web" : "onnxruntime-node";
  const version = isNode ? (await describeHardware()).runtimes.get(name) : undefined;
  return version === undefined ? name : `${name} ${version}`;
}

/** Tries every provider on a model of one node, each in a process of its own, since a broken driver can end it. */
export async function probeProviders(): Promise<Map<ExecutionProvider, ProviderState>> {
  return (await nodeSide()).probeProviders();
}

function nodeSide(): Promise<typeof import("./node/hardware.ts")> {
  if (!isNode) throw new UnsupportedError("a browser does not tell what machine it runs on");
  return import("./node/hardware.ts");
}
