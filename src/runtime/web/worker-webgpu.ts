/** @file Entry of the web worker that holds one session on WebGPU. */
import { serveWorker } from "./serve-worker.ts";

serveWorker("ort.webgpu.min.mjs", () => import("onnxruntime-web/webgpu"));
