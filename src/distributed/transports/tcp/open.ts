/**
 * @file Ranks that are processes, on one machine or several: a TCP connection between each two of them.
 *
 * Rank 0 listens at an address that all know. The others connect to it and say where they listen themselves; once all are there, rank 0 tells every
 * rank the addresses, and each connects to those of lower rank. Connections prove the token of the job ({@link callListener}); frames are not
 * encrypted.
 */
import { randomUUID } from "node:crypto";
import { createConnection, createServer, isIP, type Server, type Socket } from "node:net";
import { must, nth } from "../../../checked.ts";
import { deadlineIn, limitedSignal } from "../../../deadline.ts";
import { CancelledError, FormatError, LitheError, RuntimeError, UsageError } from "../../../errors.ts";
import { checkCount, checkOptions, type OptionNames } from "../../../options.ts";
import type { Transport, TransportListener } from "../transport.ts";
import { type Caller, callListener, receiveCaller, type Verdict } from "./handshake.ts";
import { type Link, type LinkSettings, linkOver } from "./link.ts";

export interface TcpTransportOptions {
  readonly rank: number;
  readonly size: number;
  /** `host:port` at which rank 0 listens, as the other ranks reach it. Rank 0 may take port 0, which is any that is free. */
  readonly address: string;
  /** Of rank 0: told the address once others can connect. */
  readonly onListening?: (address: string) => void;
  /** The same for all ranks, known to nobody else; at least 16 characters. */
  readonly token: string;
  /** The interface on which this rank listens; loopback by default. `0.0.0.0` lets other machines in. */
  readonly listenOn?: string;
  /** Milliseconds within which all ranks have to come; default 60,000. */
  readonly patience?: number;
  /** The largest message, in bytes; default 2^30. */
  readonly most?: number;
  /** Milliseconds between signs of life, four of which may be missing in a row; default 1,000. */
  readonly beat?: number;
  readonly signal?: AbortSignal;
}

const tcpTransportOptionsNames: OptionNames<TcpTransportOptions> = {
  rank: true,
  size: true,
  address: true,
  token: true,
  onListening: true,
  listenOn: true,
  patience: true,
  most: true,
  beat: true,
  signal: true,
};

const LOOPBACK = "127.0.0.1";
const SHORTEST_TOKEN = 16;
const MISSING = 4;
/** Between two tries to reach a rank that does not listen yet, in milliseconds. */
const AGAIN = 50;
const ADDRESSES = "addresses";

interface Joining {
  readonly rank: number;
  readonly size: number;
  readonly token: string;
  readonly link: LinkSettings;
  readonly signal: AbortSignal;
  /** By rank. */
  readonly links: Map<number, Link>;
}

/**
 * Connects this process with all others of its job; resolves once all are connected.
 *
 * A rank that ends is lost at once, one that stops to answer after five beats, by name.
 *
 * @throws UsageError for options that do not fit, another token, or a rank that somebody has; RuntimeError where ranks do not come in time
 */
export async function openTcpTransport(options: TcpTransportOptions): Promise<Transport> {
  const { rank, size, address, token, ...rest } = checkOptions(options, tcpTransportOptionsNames);
  const {
    onListening = () => undefined,
    listenOn = LOOPBACK,
    patience = 60_000,
    most = 2 ** 30,
    beat = 1000,
    signal,
  } = rest;
  checkCount("size", size);
  if (!Number.isInteger(rank) || rank < 0 || rank >= size) {
    throw new UsageError("a rank is one of the job's", { expected: `0 to ${size - 1}`, got: String(rank) });
  }
  if (token.length < SHORTEST_TOKEN) {
    throw new UsageError("the token of a job is too short to keep others out", {
      expected: `${SHORTEST_TOKEN} characters or more`,
      got: `${token.length}`,
      hint: `For example ${randomUUID()}.`,
    });
  }
  for (const [name, value] of Object.entries({ patience, most, beat })) checkCount(name, value);
  const home = addressOf(address, rank === 0);
  if (size === 1) return transportOver(rank, size, new Map());
  using limited = limitedSignal(signal ?? new AbortController().signal, deadlineIn(patience));
  const links = new Map<number, Link>();
  const joining: Joining = { rank, size, token, link: { most, beat, missing: MISSING }, signal: limited.signal, links };
  try {
    await join(joining, { listenOn, home, onListening });
  } catch (error) {
    await Promise.all([...links.values()].map((link) => link.close()));
    if (signal?.aborted) throw new CancelledError("connecting the ranks was cancelled", { cause: error });
    if (!limited.signal.aborted || (error instanceof LitheError && !(error instanceof RuntimeError))) throw error;
    const absent = Array.from({ length: size }, (_, i) => i).filter((i) => i !== rank && !links.has(i));
    throw new RuntimeError(`${absent.length === 1 ? "a rank has" : "ranks have"} not come`, {
      expected: `all ${size} within ${patience / 1000} s`,
      got: `no connection of rank ${rank} with ${absent.join(", ")}`,
      cause: error,
    });
  }
  return transportOver(rank, size, links);
}

interface Address {
  readonly host: string;
  readonly port: number;
}

function addressOf(text: string, mayChoose: boolean): Address {
  const [, host = "", port = ""] = /^(.+):(\d{1,5})$/.exec(text) ?? [];
  const bare = host.replace(/^\[(.*)\]$/, "$1");
  if (bare !== "" && port !== "" && (Number(port) > 0 || mayChoose) && Number(port) < 65_536)
    return { host: bare, port: Number(port) };
  throw new UsageError("this is no address", {
    expected: "host:port, such as 10.0.0.4:29500",
    got: JSON.stringify(text),
  });
}

interface Meeting {
  readonly listenOn: string;
  readonly home: Address;
  readonly onListening: (address: string) => void;
}

async function join(joining: Joining, { listenOn, home, onListening }: Meeting): Promise<void> {
  const { rank, size, links } = joining;
  await using listener = await listening(joining, listenOn, rank === 0 ? home.port : 0);
  if (rank === 0) onListening(`${home.host}:${listener.port}`);
  if (rank > 0) links.set(0, await calledAt(joining, home, 0, listener.port));
  if (rank === 0) {
    const callers = await listener.all;
    const table = callers.map(({ address }) => address);
    const payload = new TextEncoder().encode(JSON.stringify(table));
    for (let to = 1; to < size; to++) await must(links, to).send({ channel: ADDRESSES, payload });
    return;
  }
  const table = await addressesFrom(must(links, 0), size);
  for (let to = 1; to < rank; to++) links.set(to, await calledAt(joining, nth(table, to - 1), to, 0));
  await listener.all;
}

/** Where rank 1 and those behind it listen. */
async function addressesFrom(link: Link, size: number): Promise<readonly Address[]> {
  const { channel, payload } = await link.first();
  const table = channel === ADDRESSES ? tableOf(new TextDecoder().decode(payload), size) : undefined;
  if (table) return table;
  throw new FormatError("rank 0 did not tell where the others are", { got: `a message on ${JSON.stringify(channel)}` });
}

function tableOf(text: string, size: number): Address[] | undefined {
  const table: unknown = JSON.parse(text);
  if (!Array.isArray(table) || table.length !== size - 1) return undefined;
  return table.every(isAddress) ? table : undefined;
}

function isAddress(given: unknown): given is Address {
  if (typeof given !== "object" || given === null || !("host" in given) || !("port" in given)) return false;
  return typeof given.host === "string" && isIP(given.host) !== 0 && Number.isInteger(given.port);
}

interface Listener extends AsyncDisposable {
  readonly port: number;
  /** Those that are awaited, in the order of their ranks. */
  readonly all: Promise<readonly { readonly address: Address }[]>;
}

/** Lets in ranks above this one. */
async function listening(joining: Joining, host: string, port: number): Promise<Listener> {
  const { rank, size, token, links, link, signal } = joining;
  const here = new Map<number, { readonly address: Address }>();
  const coming = new Set<Socket>();
  const done = promised<readonly { readonly address: Address }[]>();
  const isFull = (): boolean => here.size === size - 1 - rank;
  const judge = (caller: Caller): Verdict => {
    if (caller.size !== size) return "another number of ranks";
    if (caller.rank <= rank || caller.rank >= size || here.has(caller.rank)) return "a rank that is there already";
    return "welcome";
  };
  const admit = async (socket: Socket): Promise<void> => {
    coming.add(socket);
    socket.on("error", () => socket.destroy());
    socket.setTimeout(10_000, () => socket.destroy());
    const caller = await receiveCaller(socket, token, rank, judge).catch(() => undefined);
    coming.delete(socket);
    if (!caller) {
      socket.end();
      return;
    }
    socket.setTimeout(0);
    links.set(caller.rank, linkOver(socket, link));
    here.set(caller.rank, { address: { host: socket.remoteAddress ?? host, port: caller.port } });
    if (isFull()) done.resolve([...here].sort(([a], [b]) => a - b).map(([, caller]) => caller));
  };
  const server = createServer((socket) => void admit(socket));
  const abort = (): void => done.reject(new RuntimeError("waiting for other ranks was ended"));
  signal.addEventListener("abort", abort, { once: true });
  if (isFull()) done.resolve([]);
  await opened(server, host, port);
  const bound = server.address();
  return {
    port: bound !== null && typeof bound === "object" ? bound.port : port,
    all: done.promise,
    async [Symbol.asyncDispose]() {
      signal.removeEventListener("abort", abort);
      for (const socket of coming) socket.destroy();
      server.close();
    },
  };
}

function promised<T>() {
  let resolve: (value: T) => void = () => undefined;
  let reject: (error: Error) => void = () => undefined;
  const promise = new Promise<T>((yes, no) => {
    [resolve, reject] = [yes, no];
  });
  promise.catch(() => undefined);
  return { promise, resolve, reject };
}

function opened(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause) =>
      reject(new UsageError("this rank cannot listen", { where: `${host}:${port}`, got: cause.message, cause })),
    );
    server.listen(port, host, () => resolve());
  });
}

/** A link to a rank that listens there, or will soon. */
async function calledAt(joining: Joining, { host, port }: Address, to: number, own: number): Promise<Link> {
  const { rank, size, token, link, signal } = joining;
  const socket = await connected(host, port, signal);
  const stop = (): void => void socket.destroy();
  signal.addEventListener("abort", stop, { once: true });
  try {
    await callListener(socket, token, { rank, size, port: own }, to);
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    signal.removeEventListener("abort", stop);
  }
  return linkOver(socket, link);
}

async function connected(host: string, port: number, signal: AbortSignal): Promise<Socket> {
  for (;;) {
    const socket = createConnection({ host, port });
    const isThere = await new Promise<boolean>((resolve) => {
      socket.once("connect", () => resolve(true));
      socket.once("error", () => resolve(false));
    });
    if (isThere) {
      socket.on("error", () => socket.destroy());
      return socket;
    }
    socket.destroy();
    if (signal.aborted) throw new RuntimeError("nobody listens there", { where: `${host}:${port}` });
    await new Promise((resolve) => setTimeout(resolve, AGAIN));
  }
}

function transportOver(rank: number, size: number, links: ReadonlyMap<number, Link>): Transport {
  return {
    rank,
    size,
    listen(listener: TransportListener) {
      for (const [from, link] of links) {
        link.listen({
          message: (frame) => listener.frame(from, frame),
          lost: (reason) => listener.lost(from, reason, link.remote),
        });
      }
    },
    post: (to, frame) => must(links, to).send(frame),
    async close() {
      await Promise.all([...links.values()].map((link) => link.close()));
    },
  };
}
