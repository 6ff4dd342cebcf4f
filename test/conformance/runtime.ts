/** @file The check that ONNX Runtime gives the expected outputs, in one long-lived child process. */
import type { Model, Tensor } from "../../src/ir/index.ts";
import { encodeModel } from "../../src/onnx/index.ts";
import type { FileValue } from "../../src/onnx/tensor-file.ts";
import { processChannel } from "../../src/runtime/node/channels.ts";
import {
  type CallName,
  type Calls,
  type Channel,
  type Failure,
  isProgress,
  type LoadSpec,
  type WireTensor,
} from "../../src/runtime/protocol.ts";
import { type Case, expectationsOf, feedsOf } from "./cases.ts";
import { difference } from "./compare.ts";

/** A process in which one model after another is loaded and run; a new one is started when it dies. */
export interface RuntimeProcess {
  /** Why the runtime does not give what the case expects; `undefined` when it does. */
  problem(test: Case, model: Model): Promise<string | undefined>;
  close(): Promise<void>;
}

export const DIED = "ends the process";

export function runtimeProcess(): RuntimeProcess {
  let line: Line | undefined;
  return {
    async problem(test, model) {
      line ??= openLine();
      try {
        return await runCase(line, test, model);
      } catch (error) {
        if (!line.ended()) throw error;
        line = undefined;
        return DIED;
      }
    },
    async close() {
      await line?.channel.close();
    },
  };
}

interface Line {
  readonly channel: Channel;
  call<C extends CallName>(name: C, args: Calls[C]["args"]): Promise<Calls[C]["result"]>;
  ended(): boolean;
}

class RuntimeFailure extends Error {}

function openLine(): Line {
  const channel = processChannel("process.js", { memory: 2 ** 32, isReused: false });
  let ended = false;
  let waiting: { resolve(value: unknown): void; reject(error: Error): void } | undefined;
  channel.listen(
    (reply) => {
      if (isProgress(reply)) return;
      if ("error" in reply) waiting?.reject(new RuntimeFailure((reply.error as Failure).message));
      else waiting?.resolve(reply.value);
    },
    ({ reason }) => {
      ended = true;
      waiting?.reject(new Error(reason));
    },
  );
  channel.busy(true);
  let id = 0;
  return {
    channel,
    ended: () => ended,
    call: (call, args) =>
      new Promise((resolve, reject) => {
        waiting = { resolve: resolve as (value: unknown) => void, reject };
        channel.post({ id: id++, call, args }, []);
      }),
  };
}

async function runCase(line: Line, test: Case, model: Model): Promise<string | undefined> {
  const expected = expectationsOf(test, model);
  const feeds = [...feedsOf(test, model)];
  if ([...feeds.map(([, value]) => value), ...expected.values()].some((value) => !("dtype" in value))) {
    return "sequences and optionals do not pass through the runtime's Node binding";
  }
  try {
    await line.call("open", loadSpec(model));
    const wires = feeds.map(([name, value]) => wireTensor(name, value as Tensor));
    const results = await line.call("run", { feeds: wires, fetches: [...expected.keys()] });
    return firstDifference(test, expected, results);
  } catch (error) {
    if (error instanceof RuntimeFailure) return reasonOf(error.message);
    throw error;
  } finally {
    if (!line.ended()) await line.call("release", undefined);
  }
}

function firstDifference(
  test: Case,
  expected: ReadonlyMap<string, FileValue>,
  results: readonly WireTensor[],
): string | undefined {
  for (const wire of results) {
    const problem = difference(expected.get(wire.name)!, tensorOf(wire), test);
    if (problem) return `output ${wire.name}: ${problem}`;
  }
  return undefined;
}

function loadSpec(model: Model): LoadSpec {
  return {
    model: encodeModel(model),
    external: [],
    ep: "cpu",
    threads: 1,
    optimization: "all",
    profile: false,
    config: [],
    cpuNodes: [],
    resident: [],
  };
}

function wireTensor(name: string, { dtype, dims, data }: Tensor): WireTensor {
  if (data instanceof Uint8Array) return { name, dtype, dims, data: new Uint8Array(data) };
  return { name, dtype, dims, data: (data as readonly Uint8Array[]).map((bytes) => new TextDecoder().decode(bytes)) };
}

function tensorOf({ dtype, dims, data }: WireTensor): Tensor {
  if (data instanceof Uint8Array) return { dtype, dims, data };
  return { dtype, dims, data: data.map((word) => new TextEncoder().encode(word)) };
}

const reasons: readonly (readonly [RegExp, (match: RegExpExecArray) => string])[] = [
  [/Could not find an implementation for (\w+\(\d+\))/, ([, what]) => `no kernel for ${what}`],
  [/(?:opset|Opset) (?:version )?(\d+).*(?:under development|not guaranteed)/i, ([, n]) => `opset ${n} is refused`],
  [/No Op registered for (\w+)/, ([, what]) => `no operator ${what}`],
  [/is not a registered function\/op/, () => "no such operator"],
];

/** The runtime's words, shortened, without the paths of its build. */
function reasonOf(message: string): string {
  for (const [pattern, reason] of reasons) {
    const match = pattern.exec(message);
    if (match) return reason(match);
  }
  return shortened(message);
}

/** One line of at most 140 characters. */
export function shortened(message: string): string {
  const plain = message
    .replace(/(?<![\w.])\/[\w./+-]+(:\d+)?/g, "…")
    .replace(/[\s;]+/g, " ")
    .trim();
  return plain.length > 140 ? `${plain.slice(0, 139)}…` : plain;
}
