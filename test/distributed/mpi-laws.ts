/** @file One rank of Open MPI, which holds its transport to the laws of collectives and says which of them hold. */
import { openCommunicator } from "../../src/distributed/index.ts";
import { mpiTransport } from "../../src/distributed/sockets.ts";
import { collectiveLaws } from "../laws/collectives/laws.ts";

const rank = openCommunicator(await mpiTransport());
for (const [name, law] of Object.entries(collectiveLaws)) {
  await law(rank);
  console.log(`rank ${rank.rank} of ${rank.size} holds ${name}`);
}
await rank[Symbol.asyncDispose]();
