/** @file Runs of repeated residual blocks: what follows each other, and where it begins to repeat. */

import { type ResidualStep, residualSteps, type Surroundings, surroundingsOf } from "../branches/index.ts";
import { lastOf, must, nth } from "../checked.ts";
import { UnsupportedError } from "../errors.ts";
import { constantOf, describeNode, type Model, type Node, readsOf, sameValueType, type Value } from "../ir/index.ts";
import { alikeSteps, alikeTails, structureOf } from "./step-kinds.ts";

/** The steps of one block, each reading what the one before makes: attention, then MLP. */
export type Block = readonly ResidualStep[];

/** Two or more isomorphic blocks in a row. */
export interface BlockRun {
  readonly blocks: readonly Block[];
  /** Steps of a block. */
  readonly period: number;
}

export interface BlockSurvey {
  readonly runs: readonly BlockRun[];
  /** Residual steps that belong to no run. */
  readonly alone: readonly ResidualStep[];
  /** Steps of the same operators that are not isomorphic, in words. */
  readonly misfits: readonly string[];
}

/**
 * The residual blocks of a model, found by isomorphic subgraphs. Steps whose values are read from elsewhere (a long
 * skip connection, an output of the model) end a run, as do steps that change the type of what they carry.
 */
export function surveyBlocks(model: Model): BlockSurvey {
  const surroundings = surroundingsOf(model);
  const runs: BlockRun[] = [];
  const alone: ResidualStep[] = [];
  const misfits: string[] = [];
  for (const chain of chainsOf(surroundings)) {
    const kinds = kindsOf(chain, surroundings);
    for (const { start, period, count } of repeated(kinds)) {
      if (count === 1) for (const item of chain.slice(start, start + period)) alone.push(item);
      else runs.push({ period, blocks: Array.from({ length: count }, (_, i) => blockAt(chain, start, period, i)) });
    }
    for (const item of misfitsOf(chain, kinds)) misfits.push(item);
  }
  return { runs: outermost(runs), alone, misfits };
}

/** Runs that do not lie inside a block of another. */
function outermost(runs: readonly BlockRun[]): BlockRun[] {
  const inner = new Set(runs.flatMap(({ blocks }) => blocks.flat().flatMap(({ members }) => members)));
  return runs.filter(({ blocks }) => !inner.has(nth(nth(nth(blocks, 0), 0).additions, 0)));
}

/** @throws UnsupportedError that says what was found instead. */
export function requireRuns(survey: BlockSurvey): readonly BlockRun[] {
  if (survey.runs.length > 0) return survey.runs;
  throw new UnsupportedError("the model has no repeated residual blocks", {
    expected: "two or more isomorphic blocks y = x + f(x) in a row",
    got: found(survey),
    ...(survey.misfits.length === 0 && {
      hint: "Blocks are found by the graph's edges; a value that is read from elsewhere, or changes its shape, ends a run.",
    }),
  });
}

function found({ alone, misfits }: BlockSurvey): string {
  if (alone.length === 0) return "no residual addition";
  const names = alone.slice(0, 3).map(({ additions }) => describeNode(lastOf(additions)));
  const more = alone.length > 3 ? `, and ${alone.length - 3} more` : "";
  const list = `${alone.length} residual addition${alone.length === 1 ? "" : "s"} without an equal neighbour: ${names.join(", ")}${more}`;
  return misfits.length === 0 ? list : `${list}; ${misfits.slice(0, 3).join("; ")}`;
}

function blockAt(chain: readonly ResidualStep[], start: number, period: number, i: number): Block {
  return chain.slice(start + i * period, start + (i + 1) * period);
}

/** Steps of which each alone feeds the next. Tails are settled here: what stands between a sum and the next input. */
function chainsOf(surroundings: Surroundings): ResidualStep[][] {
  const steps = residualSteps(surroundings);
  const bySum = new Map(steps.map((step) => [step.sum, step]));
  const next = new Map<ResidualStep, ResidualStep>();
  const tails = new Map<ResidualStep, Tail>();
  for (const step of steps) {
    const link = linkBefore(step, bySum, surroundings);
    if (!link) continue;
    next.set(link.step, step);
    tails.set(link.step, link);
  }
  const followers = new Set(next.values());
  return steps
    .filter((step) => !followers.has(step))
    .map((first) => {
      const chain: ResidualStep[] = [];
      for (let step: ResidualStep | undefined = first; step; step = next.get(step)) {
        chain.push({ ...step, ...tails.get(step) });
      }
      const last = chain.pop()!;
      return [...chain, { ...last, ...lastTail(last, chain, surroundings) }];
    });
}

type Tail = Pick<ResidualStep, "tail" | "output">;

/** Nodes that a tail may have: a norm written out is ten. */
const LONGEST_TAIL = 16;

/** The step whose sum, through a tail, is what this step reads, while nothing else reads either. */
function linkBefore(
  step: ResidualStep,
  bySum: ReadonlyMap<Value, ResidualStep>,
  surroundings: Surroundings,
): (Tail & { readonly step: ResidualStep }) | undefined {
  const { input: output } = step;
  if (!isReadBy(output, [...step.members, ...step.additions], surroundings)) return undefined;
  const { graph, producer, position, type } = surroundings;
  const tail = new Set<Node>();
  const sources = new Set<Value>();
  const open = [output];
  for (let value = open.pop(); value && tail.size <= LONGEST_TAIL; value = open.pop()) {
    const node = producer.get(value);
    if (bySum.has(value) || !node) sources.add(value);
    else if (!tail.has(node) && !constantOf(graph, value)) {
      tail.add(node);
      for (const item of readsOf(node)) open.push(item);
    }
  }
  const [sum, ...others] = [...sources].filter((value) => !graph.initializers.has(value));
  const before = sum && bySum.get(sum);
  if (!before || others.length > 0 || tail.size > LONGEST_TAIL) return undefined;
  if (!sameValueType(type(sum), type(output))) return undefined;
  const nodes = [...tail].sort((a, b) => must(position, a) - must(position, b));
  return isClosed(sum, nodes, output, surroundings) ? { step: before, tail: nodes, output } : undefined;
}

/** Behind the last step nothing says where its tail ends: it is the longest that another step of the chain has too. */
function lastTail(last: ResidualStep, chain: readonly ResidualStep[], surroundings: Surroundings): Tail | undefined {
  const known = chain.filter(({ tail }) => tail.length > 0).toSorted((a, b) => b.tail.length - a.tail.length);
  const following = nodesAfter(last.sum, known[0]?.tail.length ?? 0, surroundings);
  for (const step of known) {
    const tail = following.slice(0, step.tail.length);
    const output = tail.at(-1)?.outputs[0];
    if (!output || !isClosed(last.sum, tail, output, surroundings)) continue;
    if (alikeTails(step, { ...last, tail, output }, surroundings)) return { tail, output };
  }
  return undefined;
}

/** The first nodes that are computed from the value and constants alone. */
function nodesAfter(value: Value, count: number, { graph, position, producer }: Surroundings): Node[] {
  const reached = new Set([value]);
  const found: Node[] = [];
  const start = must(position, must(producer, value)) + 1;
  for (let i = start; i < graph.nodes.length && found.length < count; i++) {
    const node = nth(graph.nodes, i);
    const reads = readsOf(node).filter((read) => !constantOf(graph, read));
    if (reads.length === 0 || !reads.every((read) => reached.has(read))) continue;
    found.push(node);
    for (const output of node.outputs) if (output) reached.add(output);
  }
  return found;
}

/** Whether nothing reads what these nodes read and make but themselves, the output excepted. */
function isClosed(input: Value, nodes: readonly Node[], output: Value, surroundings: Surroundings): boolean {
  const made = nodes.flatMap((node) => node.outputs.filter((value) => value !== undefined));
  const inner = [input, ...made].filter((value) => value !== output);
  return inner.every((value) => isReadBy(value, nodes, surroundings));
}

function isReadBy(value: Value, nodes: readonly Node[], { readers, outputs }: Surroundings): boolean {
  return !outputs.has(value) && (readers.get(value) ?? []).every((reader) => nodes.includes(reader));
}

/** Kinds of steps that one chain is compared with; more of them repeat nothing. */
const MOST_KINDS = 64;

/** A number for each step; alike steps have one number. */
function kindsOf(chain: readonly ResidualStep[], surroundings: Surroundings): number[] {
  const known: ResidualStep[] = [];
  return chain.map((step, i) => {
    const kind = known.findIndex((other) => alikeSteps(other, step, surroundings));
    if (kind >= 0) return kind;
    return known.length < MOST_KINDS ? known.push(step) - 1 : MOST_KINDS + i;
  });
}

interface Repetition {
  readonly start: number;
  readonly period: number;
  readonly count: number;
}

/** Steps that a block may have. */
const LONGEST_BLOCK = 8;

/** From the left, the period that covers most, the shortest among equals; a step that repeats nothing stands alone. */
function repeated(kinds: readonly number[]): Repetition[] {
  const found: Repetition[] = [];
  for (let start = 0; start < kinds.length; ) {
    let best: Repetition = { start, period: 1, count: 1 };
    for (let period = 1; period <= LONGEST_BLOCK; period++) {
      const count = repetitions(kinds, start, period);
      if (count > 1 && count * period > best.count * best.period) best = { start, period, count };
    }
    found.push(best);
    start += best.period * best.count;
  }
  return found;
}

function repetitions(kinds: readonly number[], start: number, period: number): number {
  let length = period;
  while (start + length < kinds.length && kinds[start + length] === kinds[start + length - period]) length++;
  return start + period > kinds.length ? 0 : Math.floor(length / period);
}

/** Steps with the operators of an earlier one that are not isomorphic to it, first ones only. */
function misfitsOf(chain: readonly ResidualStep[], kinds: readonly number[]): string[] {
  const firsts = new Map<string, number>();
  return chain.flatMap((step, i) => {
    const first = firsts.get(structureOf(step));
    firsts.set(structureOf(step), i);
    if (first === undefined || kinds[first] === kinds[i]) return [];
    const [a, b] = [nth(chain, first), step].map(({ additions }) => describeNode(lastOf(additions)));
    return [
      `the blocks at ${a} and at ${b} have the same operators, but differ in shape, an attribute, an integer constant, or in weights that they share`,
    ];
  });
}
