/** @file The communicator that the launcher of this process meant. Node only. */
import { certain } from "../../checked.ts";
import type { Communicator } from "../communicator/communicator.ts";
import { openCommunicator } from "../communicator/open-communicator.ts";
import { localTransports } from "../transports/local.ts";
import { mpiTransport } from "../transports/mpi/mpi.ts";
import { openTcpTransport } from "../transports/tcp/open.ts";
import type { Transport } from "../transports/transport.ts";
import { launchFromEnvironment } from "./launch.ts";
import { tokenFromEnvironment } from "./token.ts";

/** Ranks that meet on one machine are not reached from others. */
function isLoopback(address: string): boolean {
  return /^(localhost|127\.[\d.]+|\[?::1\]?):\d+$/.test(address);
}

/**
 * By `launchFromEnvironment`: over Open MPI, over TCP with the token of the environment, or of one rank alone.
 *
 * Over TCP a rank listens on the interface `LITHE_LISTEN_ON`; without it on loopback where MASTER_ADDR is loopback, else on all.
 *
 * @throws UsageError for an environment that is incomplete, and where ranks do not come
 */
export async function communicatorFromEnvironment(
  env: Readonly<Record<string, string | undefined>>,
): Promise<Communicator> {
  return openCommunicator(await transportFor(env));
}

async function transportFor(env: Readonly<Record<string, string | undefined>>): Promise<Transport> {
  const launch = launchFromEnvironment(env);
  if (launch?.transport === "mpi") return await mpiTransport();
  if (launch) {
    const { rank, size, address } = launch;
    const listenOn = env.LITHE_LISTEN_ON || (isLoopback(address) ? "127.0.0.1" : "0.0.0.0");
    return await openTcpTransport({ rank, size, address, token: await tokenFromEnvironment(env), listenOn });
  }
  const [alone] = localTransports(1);
  return certain(alone);
}
