/** @file Entry of the child process that holds one session after another. */
import { serve } from "../host.ts";
import type { Request } from "../protocol.ts";
import { loadBackend } from "./backend.ts";
import { serveProcess } from "./serve-process.ts";

serveProcess((reply) => {
  const answer = serve(loadBackend, reply);
  return (request: Request) => void answer(request);
});
