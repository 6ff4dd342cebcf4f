/** @file One rank of Open MPI that tells its process and then waits for a message that never comes. */
import { openCommunicator } from "../../dist/distributed/index.js";
import { mpiTransport } from "../../dist/distributed/sockets.js";

const rank = openCommunicator(await mpiTransport());
console.log(`rank ${rank.rank} is process ${process.pid}`);
await rank.tagged("never").receive(1 - rank.rank);
