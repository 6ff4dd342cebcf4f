/** @file Depth: residual blocks of which the branch goes as a whole, x + f(x) becomes x. */
import { type ResidualStep, residualSteps, surroundingsOf } from "../branches/index.ts";
import { lastOf } from "../checked.ts";
import { UsageError } from "../errors.ts";
import { editModel, labelOf, type Model, withGraph, withoutDeadNodes } from "../ir/index.ts";
import { measureAgreement } from "../measure/index.ts";
import { costOf } from "../ops/index.ts";
import { checkCount, checkOptions, type OptionNames } from "../options.ts";
import { checkCancelled, type Feeds, type OpenSession, type SessionOptions } from "../runtime/index.ts";
import { type CostChange, costChange } from "./cost-change.ts";

export interface DropBlocksOptions {
  /** How many go. */
  readonly blocks: number;
  readonly open: OpenSession;
  readonly session?: SessionOptions;
  /** Inputs on which blocks are compared; read once for each block that may go. */
  readonly batches: () => AsyncIterable<Feeds> | Iterable<Feeds>;
  readonly signal?: AbortSignal;
  readonly onMeasured?: (block: MeasuredBlock) => void;
}

/** A residual block, and what the model answers without it. */
export interface MeasuredBlock {
  /** Of the addition that ends it. */
  readonly name: string;
  /** Nodes of the branch. */
  readonly nodes: number;
  /** ‖a − b‖ / ‖a‖ of the answers without this block and those that went before; the worst output. */
  readonly error: number;
  /** How many blocks had gone before. */
  readonly round: number;
  readonly isDropped: boolean;
}

export interface DroppedBlocks extends CostChange {
  readonly model: Model;
  /** Those that went, in this order. */
  readonly dropped: readonly string[];
  /** All that were measured. */
  readonly blocks: readonly MeasuredBlock[];
}

const dropBlocksOptionsNames: OptionNames<DropBlocksOptions> = {
  blocks: true,
  open: true,
  session: true,
  batches: true,
  signal: true,
  onMeasured: true,
};

/** Blocks whose branch can go: sum and input have one type, and the sum is no output of the model. */
export function droppableBlocks(model: Model): readonly ResidualStep[] {
  const outputs = new Set(model.graph.outputs);
  return residualSteps(surroundingsOf(model)).filter(({ sum }) => !outputs.has(sum));
}

/** The model with the sum of the block replaced by its input. Nothing else changes, so it answers as if the branch gave zeros. */
export function withoutBranch(model: Model, { input, sum }: ResidualStep): Model {
  const edited = editModel(model, (draft) => draft.replaceValue(sum, input));
  const { graph } = edited;
  return withGraph(edited, { ...graph, ...withoutDeadNodes(graph.nodes, graph.initializers, graph.outputs) });
}

/**
 * The model without some of its residual blocks: one after the other goes the one that the answers miss least, measured anew each time.
 *
 * @throws UsageError for more blocks than there are
 */
export async function dropBlocks(model: Model, options: DropBlocksOptions): Promise<DroppedBlocks> {
  const { blocks: count, open, session } = checkOptions(options, dropBlocksOptionsNames);
  checkBlocks(model, count);
  await using original = await open(model, session);
  const dropped: string[] = [];
  const blocks: MeasuredBlock[] = [];
  let current = model;
  for (let round = 0; round < count; round++) {
    const errors = new Map<ResidualStep, number>();
    for (const step of droppableBlocks(current)) {
      checkCancelled(options.signal);
      await using candidate = await open(withoutBranch(current, step), session);
      const { relative } = await measureAgreement(original, candidate, batchesOf(options));
      errors.set(step, relative);
    }
    const [first, ...others] = errors.keys();
    if (!first) throw tooMany(count, round);
    const best = others.reduce((least, step) => (errors.get(step)! < errors.get(least)! ? step : least), first);
    for (const [step, error] of errors) {
      const block = { name: nameOf(step), nodes: step.members.length, error, round, isDropped: step === best };
      blocks.push(block);
      options.onMeasured?.(block);
    }
    dropped.push(nameOf(best));
    current = withoutBranch(current, best);
  }
  return { model: current, dropped, blocks, ...costChange(costOf(model), costOf(current)) };
}

/** The same blocks once more. */
export function withoutBlocks(model: Model, dropped: readonly string[]): Model {
  let current = model;
  for (const name of dropped) {
    const step = droppableBlocks(current).find((each) => nameOf(each) === name);
    if (!step) throw new UsageError("the model has no such block", { got: name });
    current = withoutBranch(current, step);
  }
  return current;
}

/** @throws UsageError for no number of blocks, and for more than the model has */
export function checkBlocks(model: Model, count: number): void {
  checkCount("blocks", count);
  const most = droppableBlocks(model).length;
  if (count > most) throw tooMany(count, most);
}

function tooMany(count: number, most: number): UsageError {
  return new UsageError("so many blocks cannot go", {
    expected: most === 0 ? "residual blocks y = x + f(x) of one shape, of which there is none" : `${most} at most`,
    got: String(count),
  });
}

function nameOf({ additions }: ResidualStep): string {
  return labelOf(lastOf(additions));
}

async function* batchesOf({ batches }: DropBlocksOptions) {
  for await (const feeds of batches()) yield { feeds };
}
