/** @file Entry of the web worker that holds one session. */
import { serve } from "../host.ts";
import type { Request } from "../protocol.ts";
import { loadBackend } from "./backend.ts";

interface Scope {
  onmessage: ((event: MessageEvent<Request>) => void) | null;
  postMessage(message: unknown, transfer: ArrayBuffer[]): void;
}

const scope = globalThis as unknown as Scope;
const answer = serve(loadBackend, (reply, transfer) => scope.postMessage(reply, transfer));
scope.onmessage = ({ data }) => void answer(data);
