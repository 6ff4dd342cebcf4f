/** @file Entry of the worker thread that holds one session. */
import { loadBackend } from "./backend.ts";
import { serveThread } from "./serve-thread.ts";

serveThread(loadBackend);
