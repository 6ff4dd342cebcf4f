/** @file Checkpoints that rank 0 keeps for all. */
import * as z from "zod";
import type { Tensor } from "../../ir/index.ts";
import type { AlgorithmState, Checkpoint, Checkpoints } from "../../train/index.ts";
import type { Communicator } from "../communicator/communicator.ts";
import { prefixed, under } from "../prefixed.ts";
import { jsonOfFirst, tensorsOfFirst } from "./bytes.ts";
import { metricsFromText, metricsText, metricsToText } from "./metrics-text.ts";

const facts = z.object({
  step: z.number(),
  best: z.number().nullable(),
  evaluations: z.array(z.object({ epoch: z.number(), update: z.number(), metrics: metricsText })),
  algorithms: z.array(z.object({ name: z.string(), values: z.json().optional(), tensors: z.array(z.string()) })),
});

type Facts = z.infer<typeof facts>;

/** Rank 0 loads and saves; all go on from what it has loaded, and none goes on before it has saved. */
export async function sharedCheckpoints(
  communicator: Communicator,
  open: () => Promise<Checkpoints>,
): Promise<Checkpoints> {
  const own = communicator.rank === 0 ? await open() : undefined;
  return {
    ...(own?.folder !== undefined && { folder: own.folder }),
    async load() {
      const loaded = await own?.load();
      const found = facts.nullable().parse(await jsonOfFirst(communicator, async () => factsOf(loaded)));
      if (!found) return undefined;
      const tensors = await tensorsOfFirst(communicator, loaded && tensorsOf(loaded));
      return loaded ?? checkpointOf(found, tensors);
    },
    async save(progress, state) {
      return z.string().parse(await jsonOfFirst(communicator, async () => own?.save(progress, state)));
    },
    async [Symbol.asyncDispose]() {
      await own?.[Symbol.asyncDispose]();
    },
  };
}

function factsOf(checkpoint: Checkpoint | undefined): Facts | null {
  if (!checkpoint) return null;
  const { step, best, evaluations, algorithms } = checkpoint;
  return {
    step,
    best: best ?? null,
    evaluations: evaluations.map(({ epoch, update, metrics }) => ({
      epoch,
      update,
      metrics: metricsToText(metrics),
    })),
    algorithms: [...algorithms].map(([name, { values, tensors }]) => ({
      name,
      tensors: [...(tensors?.keys() ?? [])],
      ...(values !== undefined && { values: z.json().parse(values) }),
    })),
  };
}

const STATE = "state/";
const keptName = (algorithm: string, name: string): string => `algorithm/${algorithm}/${name}`;

function tensorsOf({ state, algorithms }: Checkpoint): Map<string, Tensor> {
  const all = new Map(prefixed(STATE, state));
  for (const [algorithm, { tensors = [] }] of algorithms) {
    for (const [name, tensor] of tensors) all.set(keptName(algorithm, name), tensor);
  }
  return all;
}

function checkpointOf(found: Facts, tensors: ReadonlyMap<string, Tensor>): Checkpoint {
  const entry = (key: string, name: string): [string, Tensor][] => {
    const tensor = tensors.get(key);
    return tensor ? [[name, tensor]] : [];
  };
  return {
    step: found.step,
    best: found.best ?? undefined,
    evaluations: found.evaluations.map(({ metrics, ...rest }) => ({
      ...rest,
      metrics: metricsFromText(metrics),
    })),
    state: under(STATE, tensors),
    algorithms: new Map(
      found.algorithms.map(({ name, values, tensors: own }): [string, AlgorithmState] => [
        name,
        {
          ...(values !== undefined && { values }),
          ...(own.length > 0 && { tensors: new Map(own.flatMap((each) => entry(keptName(name, each), each))) }),
        },
      ]),
    ),
  };
}
