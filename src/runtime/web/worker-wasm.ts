/** @file Entry of the web worker that holds one session on wasm. */
import { serveWorker } from "./serve-worker.ts";

serveWorker("ort.wasm.min.mjs", () => import("onnxruntime-web/wasm"));
