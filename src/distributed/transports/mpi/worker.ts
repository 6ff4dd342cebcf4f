/** @file The thread that calls Open MPI: its calls block, so that nothing else runs here. */
import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { certain, must } from "../../../checked.ts";
import { LitheError, MissingPackageError } from "../../../errors.ts";
import type { Frame } from "../transport.ts";
import { type Mpi, openMpi } from "./library.ts";
import type { MpiAnswer, MpiRequest, MpiWorkerData } from "./messages.ts";
import { type Reduction, reductionOrder } from "./reduction-order.ts";

/** Frames, and what ranks tell each other about the order of reductions. */
const [FRAME_TAG, ORDER_TAG] = [1, 2];
const NAME_LENGTH_BYTES = 2;
/** Looks so often before it sleeps, then longer and longer, until a request wakes it. */
const LOOKS_BEFORE_SLEEP = 200;
const LONGEST_SLEEP_MS = 1;

const port = certain(parentPort);
const { bell }: MpiWorkerData = workerData;

function answer(told: MpiAnswer, transferred: ArrayBufferLike[] = []): void {
  port.postMessage(
    told,
    transferred.filter((each) => each instanceof ArrayBuffer),
  );
}

function packed({ channel, payload }: Frame): Uint8Array {
  const name = Buffer.from(channel, "utf8");
  const bytes = new Uint8Array(new ArrayBuffer(NAME_LENGTH_BYTES + name.length + payload.length));
  new DataView(bytes.buffer).setUint16(0, name.length, true);
  bytes.set(name, NAME_LENGTH_BYTES);
  bytes.set(payload, NAME_LENGTH_BYTES + name.length);
  return bytes;
}

function unpacked(bytes: Uint8Array<ArrayBuffer>): Frame {
  const begin = NAME_LENGTH_BYTES + new DataView(bytes.buffer).getUint16(0, true);
  const channel = Buffer.from(bytes.buffer, NAME_LENGTH_BYTES, begin - NAME_LENGTH_BYTES).toString("utf8");
  return { channel, payload: bytes.slice(begin) };
}

interface Sending {
  readonly request: unknown[];
  /** Held until MPI has sent them. */
  readonly bytes: Uint8Array;
  readonly id: number | undefined;
}

/** Everything a rank does over MPI, a little of it whenever `turn` is called; it says whether there was anything. */
function engineOf(mpi: Mpi) {
  const sending = new Set<Sending>();
  const reductions = new Map<string, Reduction & { readonly id: number }>();
  let closing: number | undefined;
  const send = (bytes: Uint8Array, to: number, tag: number, id?: number): void => {
    sending.add({ request: mpi.send(bytes, to, tag), bytes, id });
  };
  const order = reductionOrder(mpi, (to, channel) =>
    send(packed({ channel, payload: new Uint8Array(0) }), to, ORDER_TAG),
  );
  const take = (request: MpiRequest): void => {
    if (request.kind === "post") send(packed(request.frame), request.to, FRAME_TAG, request.id);
    else if (request.kind === "close") closing = request.id;
    else {
      reductions.set(request.channel, request);
      order.isReady(mpi.rank, request.channel);
    }
  };
  const sent = (): boolean => {
    const done = [...sending].filter(({ request }) => mpi.isDone(request));
    for (const each of done) {
      sending.delete(each);
      if (each.id !== undefined) answer({ kind: "done", id: each.id });
    }
    return done.length > 0;
  };
  const came = (): boolean => {
    const frame = mpi.receive(FRAME_TAG);
    if (frame) {
      const whole = unpacked(frame.bytes);
      answer({ kind: "frame", from: frame.from, frame: whole }, [whole.payload.buffer]);
    }
    const told = mpi.receive(ORDER_TAG);
    if (told) order.heard(told.from, unpacked(told.bytes).channel);
    return frame !== undefined || told !== undefined;
  };
  const reduced = (): boolean => {
    const channel = order.next();
    if (channel === undefined) return false;
    const { id, values, operation } = must(reductions, channel);
    reductions.delete(channel);
    const result = mpi.allReduce(values, operation);
    answer({ kind: "done", id, values: result }, [result.buffer]);
    return true;
  };
  return {
    take,
    turn: (): boolean => [sent(), came(), reduced()].includes(true),
    /** The request to close, when everything before it is done. */
    closing: (): number | undefined => (sending.size === 0 ? closing : undefined),
  };
}

function run(mpi: Mpi): void {
  const engine = engineOf(mpi);
  let idle = 0;
  while (engine.closing() === undefined) {
    const rung = Atomics.load(bell, 0);
    let busy = false;
    for (let got = receiveMessageOnPort(port); got; got = receiveMessageOnPort(port)) {
      engine.take(got.message);
      busy = true;
    }
    busy = engine.turn() || busy;
    idle = busy ? 0 : idle + 1;
    if (idle > LOOKS_BEFORE_SLEEP) {
      Atomics.wait(bell, 0, rung, Math.min(LONGEST_SLEEP_MS, (idle - LOOKS_BEFORE_SLEEP) / 100));
    }
  }
  mpi.finalize();
  answer({ kind: "done", id: certain(engine.closing()) });
}

try {
  const mpi = openMpi();
  answer({ kind: "ready", rank: mpi.rank, size: mpi.size });
  run(mpi);
} catch (error) {
  const message = error instanceof Error ? error.message : String(error);
  const hint = error instanceof LitheError ? (error.hint ?? "") : "";
  answer({ kind: "failed", message, hint, missing: error instanceof MissingPackageError });
}
port.close();
