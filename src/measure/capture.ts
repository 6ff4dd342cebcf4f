/** @file The values of chosen intermediates while a model runs. */
import { lastOf } from "../checked.ts";
import { UsageError } from "../errors.ts";
import { byteLength, type Model, type Tensor, type Value, valuesOf, withGraph } from "../ir/index.ts";
import { checkOptions, type OptionNames } from "../options.ts";
import {
  checkCancelled,
  type Feeds,
  isFetchable,
  type OpenSession,
  type SessionOptions,
  sessionOptionNames,
} from "../runtime/index.ts";

export interface CaptureOptions extends SessionOptions {
  /** Bytes of captured values that one run may hold; default 256 MiB. */
  readonly memory?: number;
  readonly signal?: AbortSignal;
}

export interface Captured {
  /** Position of the batch. */
  readonly batch: number;
  readonly values: ReadonlyMap<string, Tensor>;
}

/** The model with more outputs, by value name; what is an output already stays one. */
export function withOutputs(model: Model, names: readonly string[]): Model {
  const { graph } = model;
  const known = new Set(graph.outputs.map(({ name }) => name));
  const wanted = new Set(names);
  const added = [...valuesOf(graph)].filter(({ name }) => wanted.has(name) && !known.has(name));
  return added.length === 0 ? model : withGraph(model, { ...graph, outputs: [...graph.outputs, ...added] });
}

const captureOptionsNames: OptionNames<CaptureOptions> = {
  memory: true,
  signal: true,
  ...sessionOptionNames,
};

/**
 * Runs the model on every batch and yields the named values of its main graph, which may also be inputs or
 * initializers. When they do not fit in `memory` at once, they come in groups, each from its own pass over `batches`,
 * which must then be iterable anew. The runtime's graph optimisation is off unless `optimization` says otherwise.
 */
export async function* captureValues(
  model: Model,
  names: readonly string[],
  batches: AsyncIterable<Feeds> | Iterable<Feeds>,
  open: OpenSession,
  given: CaptureOptions = {},
): AsyncGenerator<Captured> {
  const { memory = 2 ** 28, signal, ...options } = checkOptions(given, captureOptionsNames);
  const values = find(model, names);
  const { first, rest, once } = await begin(batches);
  if (!first) return;
  const groups = grouped(values, symbolsOf(model, first), memory);
  if (groups.length > 1 && once) {
    throw new UsageError("the batches must be read more than once", {
      expected: "an iterable that starts anew, or more memory",
      got: "an iterator",
    });
  }
  for (const [i, group] of groups.entries()) {
    yield* captureGroup(model, group, i === 0 ? rest : batches, open, { ...options, signal });
  }
}

async function* captureGroup(
  model: Model,
  group: readonly Value[],
  batches: AsyncIterable<Feeds> | Iterable<Feeds>,
  open: OpenSession,
  { signal, ...options }: SessionOptions & { readonly signal: AbortSignal | undefined },
): AsyncGenerator<Captured> {
  const { inputs, initializers } = model.graph;
  const computed = group.filter((value) => !inputs.includes(value) && !initializers.has(value));
  const fetches = computed.map(({ name }) => name);
  const opened =
    fetches.length > 0
      ? await open(withOutputs(model, fetches), { optimization: "disabled", step: "capturing values", ...options })
      : undefined;
  let batch = 0;
  try {
    for await (const feeds of batches) {
      checkCancelled(signal);
      const results = opened ? await opened.run(feeds, { fetches }) : new Map<string, Tensor>();
      for (const value of group) {
        const given = feeds.get(value.name) ?? initializers.get(value);
        if (given && "dtype" in given && !results.has(value.name)) results.set(value.name, given);
      }
      yield { batch: batch++, values: results };
    }
  } finally {
    await opened?.release();
  }
}

function find(model: Model, names: readonly string[]): Value[] {
  const byName = new Map([...valuesOf(model.graph)].map((value) => [value.name, value]));
  return [...new Set(names)].map((name) => {
    const value = byName.get(name);
    if (!value) throw new UsageError("the model has no value of this name", { got: JSON.stringify(name) });
    if (value.type?.kind === "tensor" && !isFetchable(value.type.dtype)) {
      throw new UsageError("a value of this type cannot be captured", {
        got: value.type.dtype,
        where: JSON.stringify(name),
      });
    }
    return value;
  });
}

interface Begun {
  readonly first: Feeds | undefined;
  /** All batches, the first included; to be read once. */
  readonly rest: AsyncIterable<Feeds>;
  /** Whether the source cannot be read again. */
  readonly once: boolean;
}

async function begin(batches: AsyncIterable<Feeds> | Iterable<Feeds>): Promise<Begun> {
  const iterator = Symbol.asyncIterator in batches ? batches[Symbol.asyncIterator]() : batches[Symbol.iterator]();
  const { value: first, done } = await iterator.next();
  async function* rest(): AsyncGenerator<Feeds> {
    try {
      for (let next: Feeds | undefined = first; next; ) {
        yield next;
        const step = await iterator.next();
        next = step.done ? undefined : step.value;
      }
    } finally {
      await iterator.return?.();
    }
  }
  return { first: done ? undefined : first, rest: rest(), once: (iterator as unknown) === batches };
}

/** Lengths of the symbolic dims, as one batch has them. */
function symbolsOf({ graph }: Model, feeds: Feeds): Map<string, number> {
  const symbols = new Map<string, number>();
  for (const { name, type } of graph.inputs) {
    const dims = feeds.get(name)?.dims ?? [];
    if (type?.kind !== "tensor") continue;
    for (const [axis, dim] of (type.dims ?? []).entries()) {
      if (typeof dim === "string" && dims[axis] !== undefined) symbols.set(dim, dims[axis]);
    }
  }
  return symbols;
}

/** What an unknown value counts for. */
const UNKNOWN_BYTES = 2 ** 22;

function grouped(values: readonly Value[], symbols: ReadonlyMap<string, number>, memory: number): Value[][] {
  const groups: Value[][] = [];
  let room = 0;
  for (const value of values) {
    const bytes = bytesOf(value, symbols);
    if (groups.length === 0 || bytes > room) {
      groups.push([]);
      room = memory;
    }
    lastOf(groups).push(value);
    room -= bytes;
  }
  return groups;
}

function bytesOf({ type }: Value, symbols: ReadonlyMap<string, number>): number {
  if (type?.kind !== "tensor" || !type.dims) return UNKNOWN_BYTES;
  let count = 1;
  for (const dim of type.dims) {
    const length = typeof dim === "number" ? dim : symbols.get(dim);
    if (length === undefined) return UNKNOWN_BYTES;
    count *= length;
  }
  return byteLength(type.dtype, count);
}
