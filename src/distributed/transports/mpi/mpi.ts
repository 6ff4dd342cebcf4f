/** @file Ranks that `mpirun` or a batch system started: messages over Open MPI. Node only. */
import { Worker } from "node:worker_threads";
import { builtFile } from "../../../built-file.ts";
import { must } from "../../../checked.ts";
import { LimitError, MissingPackageError, RuntimeError } from "../../../errors.ts";
import { valuesFrom } from "../../collectives/values.ts";
import { copied } from "../../communicator/copied.ts";
import type { Transport, TransportListener } from "../transport.ts";
import type { MpiAnswer, MpiRequest, MpiWorkerData } from "./messages.ts";

/** MPI counts bytes in 31 bits; the name of the channel travels with them. */
const MAX_MESSAGE_BYTES = 2 ** 31 - 2 ** 12;

type Answered = (answer: Extract<MpiAnswer, { kind: "done" }>) => void;

/**
 * The end of this process, a rank of MPI_COMM_WORLD. MPI runs in a thread of its own, since its calls block; a process opens it once. All-reduce
 * goes through MPI_Allreduce unless an algorithm is named. When a rank dies Open MPI ends the whole job and names the rank.
 *
 * @throws MissingPackageError without koffi or Open MPI
 */
export async function mpiTransport(): Promise<Transport> {
  const bell = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  const data: MpiWorkerData = { bell };
  const worker = new Worker(builtFile(import.meta.url, "./worker.js"), { workerData: data, execArgv: [] });
  const waiting = new Map<number, Answered>();
  const inbox = earlyInbox();
  const { rank, size } = await new Promise<{ rank: number; size: number }>((resolve, reject) => {
    worker.on("message", (answer: MpiAnswer) => {
      if (answer.kind === "ready") resolve(answer);
      if (answer.kind === "failed") reject(failureOf(answer));
      if (answer.kind === "frame") inbox.listener.frame(answer.from, answer.frame);
      if (answer.kind !== "done") return;
      must(waiting, answer.id)(answer);
      waiting.delete(answer.id);
    });
    worker.on("error", reject);
  });
  worker.on("error", ({ message }) => {
    for (let other = 0; other < size; other++) {
      if (other !== rank) inbox.listener.lost(other, `the thread of MPI failed (${message})`);
    }
  });
  let requests = 0;
  const ask = (
    request: (id: number) => MpiRequest,
    transferred: ArrayBuffer[] = [],
  ): Promise<Parameters<Answered>[0]> => {
    const id = requests++;
    const answered = new Promise<Parameters<Answered>[0]>((resolve) => waiting.set(id, resolve));
    worker.postMessage(request(id), transferred);
    Atomics.add(bell, 0, 1);
    Atomics.notify(bell, 0);
    return answered;
  };
  return {
    rank,
    size,
    listen: inbox.listen,
    async post(to, frame) {
      requireSize(frame.payload.length);
      await ask((id) => ({ kind: "post", id, to, frame }), [frame.payload.buffer]);
    },
    async allReduce(channel, values, operation) {
      requireSize(values.byteLength);
      const own = copied(values);
      const sent = valuesFrom(own, values, rank);
      const answer = await ask((id) => ({ kind: "allReduce", id, channel, values: sent, operation }), [own.buffer]);
      if (answer.values) values.set(answer.values);
    },
    async close() {
      await ask((id) => ({ kind: "close", id }));
    },
  };
}

/** Keeps what comes before anybody listens. */
function earlyInbox() {
  const early: ((listener: TransportListener) => void)[] = [];
  const box = {
    listener: {
      frame: (from, frame) => void early.push((listener) => listener.frame(from, frame)),
      lost: (rank, reason) => void early.push((listener) => listener.lost(rank, reason)),
    } as TransportListener,
    listen(listener: TransportListener): void {
      box.listener = listener;
      for (const tell of early.splice(0)) tell(listener);
    },
  };
  return box;
}

function failureOf({ message, hint, missing }: Extract<MpiAnswer, { kind: "failed" }>): Error {
  const summary = hint === "" ? message : message.replace(`. ${hint}`, "");
  if (missing) return new MissingPackageError(summary, { hint });
  return new RuntimeError("MPI could not be begun", { got: message });
}

function requireSize(bytes: number): void {
  if (bytes <= MAX_MESSAGE_BYTES) return;
  throw new LimitError("a message is too large for this transport", {
    expected: `at most ${MAX_MESSAGE_BYTES} bytes`,
    got: String(bytes),
    hint: "Send it in parts.",
  });
}
