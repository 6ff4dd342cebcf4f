/** @file What the hidden units of feed-forward blocks give on some inputs. */
import { nth } from "../../../checked.ts";
import { DataError } from "../../../errors.ts";
import { type Model, numbersOf } from "../../../ir/index.ts";
import { type CaptureOptions, captureValues } from "../../../measure/index.ts";
import { checkCount, checkOptions, type OptionNames } from "../../../options.ts";
import { type Feeds, type OpenSession, sessionOptionNames } from "../../../runtime/index.ts";
import type { FeedForward } from "./feed-forward.ts";
import type { Activity } from "./methods/index.ts";
import { requireBlocks } from "./route-model.ts";

export interface ActivityOptions extends CaptureOptions {
  /** Tokens that are kept of each block, the first ones; 512 by default. */
  readonly tokens?: number;
}

const activityOptionsNames: OptionNames<ActivityOptions> = {
  tokens: true,
  memory: true,
  signal: true,
  ...sessionOptionNames,
};

/**
 * By the name of each block's output: [units, tokens]. Inputs behind the last token that is kept are not run.
 *
 * @throws what `requireBlocks` throws, DataError when there is no input.
 */
export async function measureActivity(
  model: Model,
  inputs: AsyncIterable<Feeds> | Iterable<Feeds>,
  open: OpenSession,
  given: ActivityOptions = {},
): Promise<ReadonlyMap<string, Activity>> {
  const { tokens = 512, ...options } = checkOptions(given, activityOptionsNames);
  checkCount("tokens", tokens);
  const blocks = requireBlocks(model);
  const seen = new Map(blocks.map((block) => [block, [] as Float64Array[]]));
  const hidden = blocks.map((block) => block.hidden.name);
  for await (const { values } of captureValues(model, hidden, inputs, open, options)) {
    for (const [block, rows] of seen)
      for (const item of rowsOf(block, values.get(block.hidden.name)).slice(0, tokens - rows.length)) rows.push(item);
    if ([...seen.values()].every((rows) => rows.length >= tokens)) break;
  }
  return new Map([...seen].map(([block, rows]) => [block.second.output.name, byUnit(block, rows)]));
}

type Captured = Parameters<typeof numbersOf>[0];

function rowsOf({ first }: FeedForward, values: Captured | undefined): Float64Array[] {
  if (!values) return [];
  const numbers = numbersOf(values);
  const width = first.fanOut;
  return Array.from({ length: numbers.length / width }, (_, t) => numbers.subarray(t * width, (t + 1) * width));
}

function byUnit({ first }: FeedForward, rows: readonly Float64Array[]): Activity {
  if (rows.length === 0) throw new DataError("there is no input to measure hidden units on");
  const count = rows.length;
  return new Float64Array(first.fanOut * count).map((_, i) => nth(rows, i % count)[Math.floor(i / count)]!);
}
