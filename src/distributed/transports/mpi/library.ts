/** @file The calls of Open MPI that lithe makes, through koffi. Node only. */
import { createRequire } from "node:module";
import { MissingPackageError } from "../../../errors.ts";
import type { ReduceOperation, Values } from "../../collectives/values.ts";

const libraries = ["libmpi.so.40", "libmpi.so", "libmpi.40.dylib", "libmpi.dylib"];

/** An object of MPI behind a pointer, such as a request. */
type Handle = unknown;

export interface Mpi {
  readonly rank: number;
  readonly size: number;
  /** Begins to send; the bytes must stay as they are until the request is done. */
  send(bytes: Uint8Array, to: number, tag: number): Handle[];
  isDone(request: Handle[]): boolean;
  /** A message that has come, whole, or nothing. */
  receive(tag: number): { readonly from: number; readonly bytes: Uint8Array<ArrayBuffer> } | undefined;
  /** MPI_Allreduce: every rank calls it at this point. */
  allReduce(values: Values, operation: ReduceOperation): Values;
  finalize(): void;
}

const require = createRequire(import.meta.url);

/** A function of the library. */
type Call = (...args: unknown[]) => number;

interface Library {
  func(prototype: string): Call;
  symbol(name: string, type: string): Handle;
}

interface Koffi {
  load(path: string): Library;
}

function loadKoffi(): Koffi {
  try {
    return require("koffi");
  } catch (cause) {
    throw new MissingPackageError("the transport of Open MPI needs the package koffi", {
      hint: "Install it with: npm install koffi",
      cause,
    });
  }
}

function loadLibrary(): Library {
  const koffi = loadKoffi();
  let last: unknown;
  for (const path of libraries) {
    try {
      return koffi.load(path);
    } catch (cause) {
      last = cause;
    }
  }
  throw new MissingPackageError("the library of Open MPI was not found", {
    expected: `one of ${libraries.join(", ")}`,
    hint: "Install it with: apt-get install openmpi-bin libopenmpi-dev",
    cause: last,
  });
}

const THREAD_MULTIPLE = 3;
/** Places of an MPI_Status of Open MPI, in int32: source, tag, error, cancelled, count (64 bits). */
const STATUS_WORDS = 8;
const ANY_SOURCE = -1;

/** Begins MPI in this thread, which is the only one to call it. @throws MissingPackageError without koffi or Open MPI */
export function openMpi(): Mpi {
  const library = loadLibrary();
  const call = (prototype: string): Call => library.func(`int MPI_${prototype}`);
  call("Init_thread(void*, void*, int, _Out_ int*)")(null, null, THREAD_MULTIPLE, [0]);
  const symbol = (name: string): Handle => library.symbol(`ompi_mpi_${name}`, "void");
  const world = symbol("comm_world");
  const asked = (prototype: string): number => {
    const answer = [0];
    call(prototype)(world, answer);
    return answer[0] ?? 0;
  };
  return {
    rank: asked("Comm_rank(void*, _Out_ int*)"),
    size: asked("Comm_size(void*, _Out_ int*)"),
    ...messagesOf(call, world, symbol("byte")),
    allReduce: reductionOf(call, world, symbol),
    finalize: () => void call("Finalize()")(),
  };
}

function messagesOf(
  call: (prototype: string) => Call,
  world: Handle,
  byte: Handle,
): Pick<Mpi, "send" | "isDone" | "receive"> {
  const isend = call("Isend(void*, int, void*, int, int, void*, _Out_ void**)");
  const test = call("Test(_Inout_ void**, _Out_ int*, void*)");
  const probe = call("Improbe(int, int, void*, _Out_ int*, _Out_ void**, void*)");
  const countOf = call("Get_count(void*, void*, _Out_ int*)");
  const receive = call("Mrecv(void*, int, void*, _Inout_ void**, void*)");
  const status = new Int32Array(new ArrayBuffer(STATUS_WORDS * Int32Array.BYTES_PER_ELEMENT));
  const [flag, count, message]: [number[], number[], Handle[]] = [[0], [0], [null]];
  return {
    send(bytes, to, tag) {
      const request: Handle[] = [null];
      isend(bytes, bytes.length, byte, to, tag, world, request);
      return request;
    },
    isDone(request) {
      test(request, flag, null);
      return flag[0] !== 0;
    },
    receive(tag) {
      probe(ANY_SOURCE, tag, world, flag, message, status);
      if (flag[0] === 0) return undefined;
      const from = status[0] ?? 0;
      countOf(status, byte, count);
      // A buffer of its own: small arrays without one lie where the collector moves them.
      const bytes = new Uint8Array(new ArrayBuffer(count[0] ?? 0));
      receive(bytes, bytes.length, byte, message, null);
      return { from, bytes };
    },
  };
}

function reductionOf(
  call: (prototype: string) => Call,
  world: Handle,
  symbol: (name: string) => Handle,
): Mpi["allReduce"] {
  const reduce = call("Allreduce(void*, void*, int, void*, void*, void*)");
  const operations = { sum: symbol("op_sum"), max: symbol("op_max"), min: symbol("op_min") };
  const types = { Float32Array: symbol("float"), Float64Array: symbol("double"), Int32Array: symbol("int32_t") };
  return (values, operation) => {
    const result = emptyLike(values);
    if (values.length === 0) return result;
    const type =
      values instanceof Float32Array ? "Float32Array" : values instanceof Float64Array ? "Float64Array" : "Int32Array";
    reduce(values, result, values.length, types[type], operations[operation], world);
    return result;
  };
}

function emptyLike(values: Values): Values {
  const buffer = new ArrayBuffer(values.byteLength);
  if (values instanceof Float32Array) return new Float32Array(buffer);
  return values instanceof Float64Array ? new Float64Array(buffer) : new Int32Array(buffer);
}
