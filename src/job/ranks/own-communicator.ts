/** @file The one place that knows whether this thread is a rank of a job, and how it reaches the others. Node only. */
import { workerData } from "node:worker_threads";
import { type Communicator, openCommunicator, portTransport } from "../../distributed/index.ts";
import { isRankData } from "./rank-thread.ts";

let opened: Communicator | undefined;

/** This rank's end, opened once; `undefined` where nobody shares the work. */
export function ownCommunicator(): Communicator | undefined {
  if (!opened && isRankData(workerData))
    opened = openCommunicator(portTransport(workerData.litheRank, workerData.ports));
  return opened;
}
