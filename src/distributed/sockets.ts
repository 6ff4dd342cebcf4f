/** @file Ranks that are processes, connected by TCP. Node only. */
export { openTcpTransport, type TcpTransportOptions } from "./transports/tcp/open.ts";
