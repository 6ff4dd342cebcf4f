/** @file Ranks that are processes: connected by TCP or by Open MPI, and what their launcher says of them. Node only. */
export { communicatorFromEnvironment } from "./environment/communicator-from-environment.ts";
export { type Launch, launchFromEnvironment } from "./environment/launch.ts";
export { tokenFromEnvironment } from "./environment/token.ts";
export { mpiTransport } from "./transports/mpi/mpi.ts";
export { openTcpTransport, type TcpTransportOptions } from "./transports/tcp/open.ts";
