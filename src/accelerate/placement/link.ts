/** @file What a sum between two worker threads takes on this machine. */
import { atLeast } from "../../checked.ts";
import type { Link } from "../../distributed/index.ts";
import { graphBuilder, model, TARGET_OPSET, tensor } from "../../ir/index.ts";
import { type LatencyOptions, latencyOptionsNames, raceLatency } from "../../measure/index.ts";
import { builderInference } from "../../ops/index.ts";
import { checkOptions, type OptionNames } from "../../options.ts";
import { openPartition, type Partition } from "../../runtime/index.ts";

/** Elements of a sum that is all waiting, and of one that is all copying. */
const SMALL = 2 ** 8;
const LARGE = 2 ** 18;

/** Options of a race, and the race itself. */
export interface RaceOptions extends LatencyOptions {
  /** Times sessions against each other; default `raceLatency`. */
  readonly race?: typeof raceLatency;
}

export const raceOptionsNames: OptionNames<RaceOptions> = { ...latencyOptionsNames, race: true };

/**
 * Two ranks that do next to nothing and then add up, against one rank that does the same, for a small and a large tensor;
 * the line through the two differences.
 */
export async function measureLink(given: RaceOptions = {}): Promise<Link> {
  const { race = raceLatency, ...options } = checkOptions(given, raceOptionsNames);
  await using pair = await openPartition(negated(2));
  await using single = await openPartition(negated(1));
  const contenders = [SMALL, LARGE].flatMap((length) => {
    const feeds = new Map([["x", tensor("float32", [length], new Float32Array(length))]]);
    return [pair, single].map((session) => ({ session, feeds }));
  });
  const [smallPair, smallSingle, largePair, largeSingle] = atLeast(await race(contenders, options), 4);
  const small = Math.max(0, smallPair.p50 - smallSingle.p50);
  const large = Math.max(small, largePair.p50 - largeSingle.p50);
  const bytes = (LARGE - SMALL) * Float32Array.BYTES_PER_ELEMENT;
  const bandwidth = bytes / Math.max(large - small, Number.MIN_VALUE);
  return { latency: small, bandwidth };
}

function negated(size: number): Partition {
  const g = graphBuilder({ infer: builderInference(TARGET_OPSET) });
  g.output(g.op("Neg", [g.input("x", "float32", ["n"])]), "sum");
  const part = model(g.build());
  const ranks = Array.from({ length: size }, (_, rank) => rank);
  const sum = { kind: "sum", value: "sum", dtype: "float32", from: ranks, to: ranks } as const;
  const steps: Partition["steps"] = [{ kind: "run", parts: ranks.map(() => part) }, ...(size > 1 ? [sum] : [])];
  return { size, inputs: part.graph.inputs, outputs: part.graph.outputs, steps };
}
