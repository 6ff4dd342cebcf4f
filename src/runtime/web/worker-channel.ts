/** @file The line to a web worker with a session in it. */
import type { Channel, Reply } from "../protocol.ts";
import { STARTED } from "./started.ts";

/** @param startLimit milliseconds after which a worker whose script has not run is given up. */
export function workerChannel(worker: Worker, startLimit: number): Channel {
  let timer: ReturnType<typeof setTimeout> | undefined;
  return {
    post: (request, transfer) => worker.postMessage(request, [...transfer]),
    listen(onReply, onEnd) {
      const late = `its worker's script has not run after ${startLimit / 1000} s`;
      timer = setTimeout(() => onEnd({ reason: late, limit: "start" }), startLimit);
      worker.onmessage = ({ data }: MessageEvent<Reply | typeof STARTED>) => {
        clearTimeout(timer);
        if (data !== STARTED) onReply(data);
      };
      worker.onmessageerror = () => onEnd({ reason: "a message could not be read" });
      worker.onerror = (event) => {
        clearTimeout(timer);
        onEnd({ reason: event.message || "its worker's script could not be loaded" });
      };
    },
    busy: () => undefined,
    async close() {
      clearTimeout(timer);
      worker.terminate();
    },
  };
}
