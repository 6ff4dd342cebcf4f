/** @file Entry of the worker thread that is one rank of a group. */
import { rankBackend } from "../group/rank.ts";
import { loadBackend } from "./backend.ts";
import { serveThread } from "./serve-thread.ts";

serveThread(rankBackend(loadBackend));
