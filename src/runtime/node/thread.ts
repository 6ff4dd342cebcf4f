/** @file Entry of the worker thread that holds one session. */
import { parentPort } from "node:worker_threads";
import { serve } from "../host.ts";
import { loadBackend } from "./backend.ts";

const port = parentPort;
if (port)
  port.on(
    "message",
    serve(loadBackend, (reply, transfer) => port.postMessage(reply, transfer)),
  );
