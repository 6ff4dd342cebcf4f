/** @file The options of ONNX Runtime that a session sets. */
import type { InferenceSession } from "onnxruntime-common";
import type { LoadSpec } from "./protocol.ts";

/** Fatal messages alone: everything else reaches the caller as an error. */
const LOG_SEVERITY = 4;

/** Where a model that comes as bytes has its external data; never the caller's to say. */
const DATA_FOLDER = "session.model_external_initializers_file_folder_path";

export function sessionOptions(spec: LoadSpec): InferenceSession.SessionOptions {
  return {
    executionProviders: [providerOptions(spec)],
    intraOpNumThreads: spec.threads,
    interOpNumThreads: 1,
    executionMode: "sequential",
    graphOptimizationLevel: spec.optimization,
    logSeverityLevel: LOG_SEVERITY,
    extra: nested(spec.folder === undefined ? spec.config : [...spec.config, [DATA_FOLDER, spec.folder]]),
    externalData: [...spec.external],
  };
}

function providerOptions({ ep, cpuNodes, layout }: LoadSpec): InferenceSession.ExecutionProviderConfig {
  if (ep !== "webgpu") return { name: ep };
  return {
    name: ep,
    ...(layout && { preferredLayout: layout }),
    ...(cpuNodes.length > 0 && { forceCpuNodeNames: [...cpuNodes] }),
  };
}

interface Nested {
  [part: string]: Nested | string;
}

/** `a.b.c` → `{ a: { b: { c } } }`, the form in which the runtime takes dotted keys. The keys come from a fixed list. */
function nested(entries: LoadSpec["config"]): Nested {
  const root: Nested = {};
  for (const [key, value] of entries) {
    const parts = key.split(".");
    const last = parts.pop()!;
    let place = root;
    for (const part of parts) {
      const inner = (place[part] as Nested | undefined) ?? {};
      place[part] = inner;
      place = inner;
    }
    place[last] = value;
  }
  return root;
}
