/** @file Entry of the worker thread that is one rank of a group. */
import { parentPort } from "node:worker_threads";
import { rankBackend } from "../group/rank.ts";
import { serve } from "../host.ts";
import { loadBackend } from "./backend.ts";

const port = parentPort;
if (port)
  port.on(
    "message",
    serve(rankBackend(loadBackend), (reply, transfer) => port.postMessage(reply, transfer)),
  );
