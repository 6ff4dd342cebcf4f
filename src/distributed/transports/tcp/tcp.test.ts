import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { fileURLToPath } from "node:url";
import { describe, expect, it, onTestFinished } from "vitest";
import { allReduce, barrier, type Communicator, openCommunicator, RankLostError, type Transport } from "../../index.ts";
import { openTcpTransport, type TcpTransportOptions } from "../../sockets.ts";
import { frameReader, heartbeat, messageHead } from "./frames.ts";

const token = "only ranks of this test know it";

/** Rank 0 at a free port: its address, and its end once all have come. */
async function hosted(size: number, options: Partial<TcpTransportOptions> = {}) {
  const { promise, onListening } = await new Promise<{ promise: Promise<Transport>; onListening: string }>(
    (resolve) => {
      const promise = openTcpTransport({
        rank: 0,
        size,
        address: "127.0.0.1:0",
        token,
        ...options,
        onListening: (address) => setImmediate(() => resolve({ promise, onListening: address })),
      });
      promise.catch(() => undefined);
    },
  );
  return { address: onListening, whole: promise };
}

async function closed(...transports: readonly Transport[]): Promise<void> {
  await Promise.all(transports.map((transport) => transport.close()));
}

/** A socket to there, once it is connected. */
async function stranger(address: string): Promise<Socket> {
  const [host, port] = address.split(":");
  const socket = connect(Number(port), host);
  socket.on("error", () => undefined);
  await once(socket, "connect");
  return socket;
}

describe("a job over TCP", () => {
  it.each<[string, (socket: Socket) => void]>([
    ["says nothing", () => undefined],
    ["sends noise", (socket) => void socket.write(randomBytes(4096))],
    [
      "sends the wrong proof",
      (socket) => void socket.write(Buffer.concat([Buffer.from("LITHE\x01"), randomBytes(74)])),
    ],
    ["hangs up in the middle", (socket) => void socket.end(Buffer.from("LITHE\x01"))],
  ])("does not mind a stranger who %s", async (_, act) => {
    const { address, whole } = await hosted(2);
    const socket = await stranger(address);
    act(socket);
    const [first, second] = [await openTcpTransport({ rank: 1, size: 2, address, token }), await whole];
    const ranks = [second, first].map(openCommunicator);
    const sums = await Promise.all(ranks.map((rank) => allReduce(rank.begin(), Float32Array.of(rank.rank + 1))));
    expect(sums).toEqual([Float32Array.of(3), Float32Array.of(3)]);
    await Promise.all(ranks.map((rank) => rank[Symbol.asyncDispose]()));
    socket.destroy();
  });

  it("lets in who has the token, the number of ranks and a rank of its own", async () => {
    const { address, whole } = await hosted(3);
    const knock = (options: Partial<TcpTransportOptions>) =>
      openTcpTransport({ rank: 1, size: 3, address, token, ...options });
    await expect(knock({ token: "it is not the one of the job" })).rejects.toThrow(/rank 1 of 3.*another token/);
    await expect(knock({ size: 2 })).rejects.toThrow(/another number of ranks/);
    const second = knock({});
    const third = knock({ rank: 2 });
    await Promise.all([second, third, whole]);
    await closed(...(await Promise.all([second, third, whole])));
  });

  it("has no rank twice", async () => {
    const { address, whole } = await hosted(3);
    const [one, other] = [1, 1].map((rank) => openTcpTransport({ rank, size: 3, address, token }));
    const refused = await Promise.any(
      [one, other].map((each) =>
        each!.then(
          () => Promise.reject(),
          (error) => error,
        ),
      ),
    );
    expect(refused).toMatchObject({ message: expect.stringMatching(/a rank that is there already/) });
    const third = openTcpTransport({ rank: 2, size: 3, address, token });
    const ends = await Promise.all([whole, third, Promise.any([one!, other!])]);
    expect(ends.map(({ rank }) => rank)).toEqual([0, 2, 1]);
    await closed(...ends);
  });

  it("names the ranks that do not come", async () => {
    const { address, whole } = await hosted(4, { patience: 700 });
    const second = openTcpTransport({ rank: 1, size: 4, address, token, patience: 60_000 });
    second.catch(() => undefined);
    await expect(whole).rejects.toThrow(
      /ranks have not come; expected all 4 within 0.7 s; got no connection of rank 0 with 2, 3/,
    );
    await expect(second).rejects.toThrow();
  });

  it("ends to wait when it is told to", async () => {
    const controller = new AbortController();
    const { whole } = await hosted(2, { signal: controller.signal });
    controller.abort();
    await expect(whole).rejects.toMatchObject({ name: "CancelledError" });
  });

  it.each<[string, Partial<TcpTransportOptions>, RegExp]>([
    ["a short token", { token: "short" }, /16 characters or more; got 5/],
    ["an address without a port", { address: "localhost" }, /host:port/],
    ["port 0 on a rank that has to find it", { rank: 1, address: "localhost:0" }, /host:port/],
    ["a rank outside", { rank: 2 }, /0 to 1; got 2/],
    ["a size that is none", { size: 0 }, /size/],
    ["an option that does not exist", { patient: 1 } as object, /unknown option/],
    ["an interface of another machine", { listenOn: "203.0.113.1", address: "203.0.113.1:0" }, /cannot listen/],
  ])("refuses %s", async (_, options, message) => {
    const given = { rank: 0, size: 2, address: "127.0.0.1:0", token, ...options };
    await expect(openTcpTransport(given)).rejects.toThrow(message);
  });

  it.each([
    ["SIGKILL", /connection/],
    ["SIGSTOP", /not answered/],
  ] as const)("tells every rank who is gone after %s", async (signal, reason) => {
    const { address, whole } = await hosted(3);
    const others = [1, 2].map((rank) => started({ rank, size: 3, address, token }));
    const end = await whole;
    const communicator = openCommunicator(end);
    await barrier(communicator.begin());
    others[0]!.kill(signal);
    const error = await failure(communicator);
    expect(error).toBeInstanceOf(RankLostError);
    expect(error).toMatchObject({ rank: 1, message: expect.stringMatching(reason) });
    const [code] = await once(others[1]!, "exit");
    expect(code).toBe(41);
    others[0]!.kill("SIGKILL");
    await communicator[Symbol.asyncDispose]();
  });
});

/** A process of its own that waits for every rank and ends with 40 and the number of the one that is gone. */
function started(options: TcpTransportOptions): ChildProcess {
  const root = fileURLToPath(new URL("../../../../", import.meta.url));
  const script = `
    const { openTcpTransport } = await import("./src/distributed/sockets.ts");
    const { barrier, openCommunicator } = await import("./src/distributed/index.ts");
    const rank = openCommunicator(await openTcpTransport(${JSON.stringify(options)}));
    await barrier(rank.begin());
    await rank.tagged("never").receive(0).catch((error) => process.exit(40 + error.rank));`;
  const flags = ["--import", "./scripts/typescript.mjs", "--input-type=module", "-e", script];
  const child = spawn(process.execPath, flags, { cwd: root, stdio: ["ignore", "ignore", "inherit"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  return child;
}

function failure(communicator: Communicator): Promise<unknown> {
  return communicator
    .tagged("never")
    .receive(2)
    .then(
      () => undefined,
      (error: unknown) => error,
    );
}

describe("frames", () => {
  const payload = Uint8Array.of(1, 2, 3);
  const bytes = Buffer.concat([messageHead({ channel: "a ü", payload }), payload, heartbeat()]);

  it.each([1, 2, 7, 100])("are the same in pieces of %s bytes", (piece) => {
    const found: { channel: string; payload: number[] }[] = [];
    const read = frameReader(3, ({ channel, payload: got }) => found.push({ channel, payload: [...got] }));
    const stream = Buffer.concat([bytes, bytes, messageHead({ channel: "", payload: new Uint8Array(0) }), bytes]);
    for (let at = 0; at < stream.length; at += piece) read(stream.subarray(at, at + piece));
    const whole = { channel: "a ü", payload: [1, 2, 3] };
    expect(found).toEqual([whole, whole, { channel: "", payload: [] }, whole]);
  });

  it("are refused where they are too long or none", () => {
    const read = (head: Uint8Array) => frameReader(3, () => undefined)(head);
    expect(() => read(messageHead({ channel: "a", payload: new Uint8Array(4) }))).toThrow(
      /a payload of 3 bytes at most; got 1 and 4/,
    );
    expect(() => read(messageHead({ channel: "a".repeat(1025), payload }))).toThrow(/1024 bytes.*got 1025/);
    expect(() => read(Uint8Array.of(9, 0, 0, 0, 0, 0, 0))).toThrow(/kind 9/);
    expect(() => read(Uint8Array.of(2, 0, 0, 0, 0, 0, 1))).toThrow(/kind 2/);
  });
});
