/** @file Fuses isomorphic node sets of a graph: one node per row of corresponding nodes, by the rules of the table. */
import { atLeast, nth } from "../checked.ts";
import { UnsupportedError } from "../errors.ts";
import {
  constantOf,
  type Graph,
  type GraphBuilder,
  graphBuilder,
  indexOf,
  makeNode,
  type Node,
  names,
  namesIn,
  producerOf,
  qualifiedName,
  TARGET_OPSET,
  type Value,
} from "../ir/index.ts";
import { builderInference } from "../ops/index.ts";
import type { Isomorphism, TypeOf } from "../rewrite/index.ts";
import { isOneForAll, ownedBy } from "./constants-of-sets.ts";
import { equalParts } from "./equal-parts.ts";
import type { Combination } from "./find-branches.ts";
import { fusionOver } from "./layout.ts";
import type { Operand } from "./operand.ts";
import { type Replacement, replaced } from "./replace.ts";
import type { Fusion, FusionForm, FusionRule } from "./rule.ts";
import { fusionRules } from "./rules/index.ts";
import type { StackedParameter } from "./stacking.ts";
import { summedRows } from "./summed-rows.ts";

/** Isomorphic sets, and what becomes of their outputs: a sum, or each is read by itself. */
export interface FusableSets extends Isomorphism {
  readonly outputs?: readonly Value[];
  readonly combine?: Combination;
}

export interface FusedSets {
  readonly graph: Graph;
  readonly stacked: readonly StackedParameter[];
  /** Nodes that stand for the sets now. */
  readonly emitted: number;
  /** Where a set could not be followed further, in words. */
  readonly ends: readonly End[];
}

export interface UnfusedSets {
  readonly graph?: undefined;
  readonly ends: readonly End[];
}

export interface End {
  readonly node: Node;
  readonly reason: string;
}

/**
 * Fuses the sets in the given form. The values that the rest of the graph reads stay the same objects.
 * @returns `undefined` with reasons in `ends` where no weighted operator could be fused.
 */
export function fuseSets(graph: Graph, sets: FusableSets, form: FusionForm, typeOf: TypeOf): FusedSets | UnfusedSets {
  const g = graphBuilder({ names: names(namesIn(graph)), infer: builderInference(TARGET_OPSET) });
  const record: StackedParameter[] = [];
  const run = new Run(graph, sets, fusionFor(graph, sets, { form, g, record }, typeOf));
  run.emit();
  if (!run.isWorthIt()) return { ends: run.ends };
  const replacement = run.replacement();
  const { emitted, result } = replaced(graph, g, replacement);
  const stacked = record.filter(({ name }) => [...result.initializers.keys()].some((value) => value.name === name));
  return { graph: result, stacked, emitted, ends: run.ends };
}

interface Building {
  readonly form: FusionForm;
  readonly g: GraphBuilder;
  readonly record: StackedParameter[];
}

function fusionFor(graph: Graph, { nodes }: FusableSets, building: Building, typeOf: TypeOf): Fusion {
  return fusionOver({
    ...building,
    count: nodes.length,
    typeOf: (value) => value.type ?? typeOf(value),
    constantOf: (value) => constantOf(graph, value),
    isParameter: ownedBy(graph, nodes),
    wholeOf: (values) => equalParts(graph, values),
  });
}

class Run {
  readonly ends: End[] = [];
  readonly #graph: Graph;
  readonly #sets: FusableSets;
  readonly #f: Fusion;
  readonly #operands = new Map<Value, Operand>();
  /** Rows of nodes that stay, one per set. */
  readonly #kept = new Set<number>();
  /** Rows of which the first node computes the same for all sets. */
  readonly #common = new Set<number>();
  readonly #own = new Set<Value>();
  readonly #columns = new Map<Value, readonly Value[]>();
  #weights = 0;

  constructor(graph: Graph, sets: FusableSets, f: Fusion) {
    this.#graph = graph;
    this.#sets = sets;
    this.#f = f;
    this.#leaves();
    this.#commonRows();
  }

  emit(): void {
    const { nodes, combine, outputs } = this.#sets;
    const rows = nth(nodes, 0);
    const isCommon = (value: Value | undefined): boolean => !value || this.#operands.get(value)?.kind === "common";
    const summed = combine && outputs ? summedRows(rows, nth(outputs, 0), isCommon) : new Set<number>();
    rows.forEach((node, i) => {
      if (this.#common.has(i)) return;
      const reason = this.#row(node, summed.has(i));
      if (reason === undefined) return;
      this.#kept.add(i);
      if (reason) this.ends.push({ node, reason });
    });
  }

  isWorthIt(): boolean {
    return this.#weights > 0;
  }

  replacement(): Replacement {
    const { nodes, combine, outputs } = this.#sets;
    const removed = new Set<Node>();
    nodes.forEach((set, b) => {
      set.forEach((node, i) => {
        if (!this.#kept.has(i) && !(b === 0 && this.#common.has(i))) removed.add(node);
      });
    });
    const given = new Map<Value, Value>();
    const total = combine && outputs && this.#operands.get(nth(outputs, 0));
    if (combine && total) {
      given.set(combine.output, this.#total(total, combine));
      for (const node of combine.nodes) removed.add(node);
    }
    return { removed, given, added: this.#apart(removed) };
  }

  /** What the sets read from outside. */
  #leaves(): void {
    const { nodes, inputs, parts, constants } = this.#sets;
    for (const value of inputs) this.#operands.set(value, this.#shared(value));
    for (const i of (parts[0] ?? []).keys()) {
      const values = parts.map((set) => nth(set, i));
      this.#operands.set(nth(values, 0), { kind: "parts", values, rank: this.#f.dims(values[0]).length });
    }
    for (const i of (constants[0] ?? []).keys()) this.#constant(constants.map((set) => nth(set, i)));
    nth(nodes, 0).forEach((node, i) => {
      node.outputs.forEach((value, k) => {
        if (value)
          this.#columns.set(
            value,
            nodes.map((set) => nth(nth(set, i).outputs, k)),
          );
      });
    });
  }

  #shared(value: Value): Operand {
    const { type } = value;
    const known = type?.kind === "tensor" ? type.dims?.length : undefined;
    return { kind: "common", value, rank: known ?? this.#f.dims(value).length };
  }

  #constant(values: readonly Value[]): void {
    const [first] = atLeast(values, 1);
    const isOne = isOneForAll(this.#graph, values);
    if (!isOne) this.#own.add(first);
    const { dims } = constantOf(this.#graph, first)!;
    this.#operands.set(first, isOne ? this.#shared(first) : { kind: "own", values, rank: dims.length });
  }

  #commonRows(): void {
    nth(this.#sets.nodes, 0).forEach((node, i) => {
      const isCommon = node.inputs.every((value) => !value || this.#operands.get(value)?.kind === "common");
      if (!isCommon || !fusionRules.has(qualifiedName(node)) || node.opType === "Dropout") return;
      this.#common.add(i);
      for (const value of node.outputs) if (value) this.#operands.set(value, this.#shared(value));
    });
  }

  /** Emits a row; otherwise says why not, with nothing where an earlier row has said it. */
  #row(node: Node, isSummed: boolean): string | undefined {
    const operands = node.inputs.map((value) => value && this.#operands.get(value));
    if (node.inputs.some((value, k) => value && !operands[k])) return "";
    const rule = fusionRules.get(qualifiedName(node));
    if (!rule) return `no rule lays ${qualifiedName(node)} side by side`;
    try {
      return this.#apply(rule, node, operands, isSummed);
    } catch (error) {
      if (error instanceof UnsupportedError) return error.message;
      throw error;
    }
  }

  #apply(
    rule: FusionRule,
    node: Node,
    operands: readonly (Operand | undefined)[],
    isSummed: boolean,
  ): string | undefined {
    const sum = isSummed ? rule.sum?.emit(this.#f, node, operands) : undefined;
    if (sum) {
      const output = nth(node.outputs, 0);
      this.#operands.set(output, { kind: "sum", value: sum, rank: this.#f.dims(output).length });
    } else {
      const results = rule.fuse(this.#f, node, operands);
      if ("declined" in results) return `${qualifiedName(node)}: ${results.declined}`;
      node.outputs.forEach((value, k) => {
        if (value) this.#operands.set(value, nth(results, k));
      });
    }
    if (operands.some((operand) => operand?.kind === "own" && operand.rank > 1)) this.#weights++;
    return undefined;
  }

  #total(operand: Operand, { addends, factor }: Combination): Value {
    const f = this.#f;
    const sum = f.sum(operand);
    const scaled = factor === 1 ? sum : f.op("Div", [sum, f.number(1 / factor, f.dtype(sum))]);
    const total = addends.reduce((left, right) => f.op("Add", [right, left]), scaled);
    return operand.kind === "sum" && total === operand.value ? f.op("Identity", [total]) : total;
  }

  /** Values of single sets that nodes outside of the fusion read, cut out of the stacked ones. */
  #apart(removed: ReadonlySet<Node>): Node[] {
    const { uses } = indexOf(this.#graph);
    const isRead = (value: Value): boolean =>
      (uses.get(value) ?? []).some(({ node, input }) => !node || input < 0 || !removed.has(node));
    return [...this.#columns].flatMap(([first, values]) => {
      const operand = this.#operands.get(first);
      if (!operand || !values.some((value) => isRead(value) && this.#isRemoved(value, removed))) return [];
      if (operand.kind === "common") {
        return values.flatMap((value) =>
          value === operand.value ? [] : [makeNode("Identity", [operand.value], [value])],
        );
      }
      const axis = operand.kind === "stacked" ? operand.axis : 0;
      const rows = this.#f.ops("Split", [this.#f.at(operand, axis)], values.length, {
        axis,
        num_outputs: values.length,
      });
      const axes = this.#f.ints([axis]);
      return values.map((value, b) => makeNode("Squeeze", [rows[b], axes], [value], { name: value.name }));
    });
  }

  #isRemoved(value: Value, removed: ReadonlySet<Node>): boolean {
    const node = producerOf(this.#graph, value);
    return node !== undefined && removed.has(node);
  }
}
