/** @file How much an untrusted model file may ask for. Each limit is checked before the memory is taken. */
import { LimitError, UsageError } from "../errors.ts";

export interface Limits {
  /** Bytes of the model file, without external data. */
  readonly fileBytes: number;
  /** Nodes in all graphs and functions. */
  readonly nodes: number;
  /** Dense and sparse initializers in all graphs. */
  readonly initializers: number;
  /** Attributes of one node. */
  readonly attributesPerNode: number;
  /** Numbers in all `ints` and `floats` attributes and other number lists: each becomes a JavaScript value. */
  readonly listedNumbers: number;
  /** Strings, messages and unknown fields in the whole file: each becomes a JavaScript object. */
  readonly items: number;
  /** Messages inside one another; a subgraph takes three (graph, node, attribute). */
  readonly depth: number;
  /** Dims of one tensor or type. */
  readonly dims: number;
  /** Bytes of one external data file. */
  readonly externalBytes: number;
  /** Bytes that sparse weights stand for, all together, where they are made dense. */
  readonly denseBytes: number;
}

/** Generous for real models (the largest seen have 200,000 items), tight enough to stay under about 2 GB of heap. */
export const defaultLimits: Limits = {
  fileBytes: 2 ** 31,
  nodes: 1_000_000,
  initializers: 1_000_000,
  attributesPerNode: 1_000,
  listedNumbers: 8_000_000,
  items: 6_000_000,
  depth: 100,
  dims: 32,
  externalBytes: 2 ** 40,
  denseBytes: 2 ** 33,
};

/** The defaults with `changes` over them; a limit that is not a whole number of at least 1 is a `UsageError`. */
export function limitsFrom(changes: Partial<Limits> = {}): Limits {
  for (const [name, value] of Object.entries(changes)) {
    if (Object.hasOwn(defaultLimits, name) && Number.isSafeInteger(value) && value >= 1) continue;
    throw new UsageError(`the limit ${JSON.stringify(name)} is wrong`, {
      expected: `one of ${Object.keys(defaultLimits).join(", ")} as a whole number of at least 1`,
      got: String(value),
    });
  }
  return { ...defaultLimits, ...changes };
}

const meanings = {
  fileBytes: "bytes in the model file",
  nodes: "nodes",
  initializers: "initializers",
  attributesPerNode: "attributes of one node",
  listedNumbers: "numbers in lists",
  items: "strings, messages and unknown fields",
  depth: "messages inside one another (a subgraph takes three)",
  dims: "dims of one tensor",
  externalBytes: "bytes in an external data file",
  denseBytes: "bytes of sparse weights when they are dense",
} satisfies Record<keyof Limits, string>;

/** Throws `LimitError` when `count` is over the limit `name`. */
export function checkLimit(limits: Limits, name: keyof Limits, count: number, where: string): void {
  if (count <= limits[name]) return;
  throw new LimitError(`too many ${meanings[name]}`, {
    expected: `at most ${limits[name]}`,
    got: `${count}`,
    where,
    hint: `A trusted model may be read with a higher limit: { limits: { ${name}: … } }.`,
  });
}
