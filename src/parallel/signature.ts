/** @file What a step is made of, as text: two steps of one text are isomorphic. */
import {
  type Attribute,
  constantOf,
  formatType,
  type Node,
  numbersOf,
  qualifiedName,
  sizeOf,
  type Tensor,
  type Value,
} from "../ir/index.ts";
import type { ResidualStep, Surroundings } from "./residual-steps.ts";

/** How far a signature looks: `structure` leaves out the lengths of axes, `shape` has them. */
export type Detail = "structure" | "shape";

/** Texts of one maker can be compared with each other. */
export interface Signatures {
  /** All of the step. */
  whole(step: ResidualStep, detail: Detail): string;
  /** Only a tail, which follows `sum`. */
  tail(step: ResidualStep, detail?: Detail): string;
}

/**
 * Every node of a step leads to its terms, so a walk from the terms, each node's inputs in order, meets every node and
 * edge, and meets them in the same order in an isomorphic step. Weights count by dtype and dims, whole numbers (axes,
 * shapes) by value, other values of the graph around by being the same one.
 */
export function signatures(surroundings: Surroundings): Signatures {
  const around = new Map<object, number>();
  const tail = (step: ResidualStep, detail: Detail = "shape") =>
    walk([step.output], { members: new Set(step.tail), input: step.sum, around, detail, surroundings }).join("\n");
  return {
    tail,
    whole(step, detail) {
      const members = new Set(step.members);
      const rows = walk(step.terms, { members, input: step.input, around, detail, surroundings });
      const type = detail === "shape" ? formatType(surroundings.type(step.input)) : "";
      return [type, ...rows, "tail", tail(step, detail)].join("\n");
    },
  };
}

interface Walk {
  readonly members: ReadonlySet<Node>;
  readonly input: Value;
  readonly around: Map<object, number>;
  readonly detail: Detail;
  readonly surroundings: Surroundings;
}

/** One line per node, each behind the nodes that it reads. */
function walk(roots: readonly Value[], context: Walk): string[] {
  const { members, surroundings } = context;
  const numbers = new Map<Node, number>();
  const rows: string[] = [];
  const inside = (value: Value | undefined) => {
    const node = value && value !== context.input ? surroundings.producer.get(value) : undefined;
    return node && members.has(node) ? node : undefined;
  };
  const nameOf = (value: Value | undefined): string => {
    const node = inside(value);
    return node ? `${numbers.get(node)}.${node.outputs.indexOf(value)}` : outsideName(value, context);
  };
  const open = roots.flatMap((value) => inside(value) ?? []).reverse();
  while (open.length > 0) {
    const node = open.at(-1)!;
    const next = numbers.has(node)
      ? undefined
      : node.inputs.map(inside).find((other) => other !== undefined && !numbers.has(other));
    if (next) {
      open.push(next);
      continue;
    }
    open.pop();
    if (numbers.has(node)) continue;
    rows.push(`${qualifiedName(node)} ${attributesText(node, context)} (${node.inputs.map(nameOf).join(", ")})`);
    numbers.set(node, numbers.size);
  }
  return [...rows, roots.map(nameOf).join(", ")];
}

function outsideName(value: Value | undefined, { input, detail, around, surroundings }: Walk): string {
  if (!value) return "-";
  if (value === input) return "x";
  const constant = constantOf(surroundings.graph, value);
  return constant ? constantText(constant, detail) : `around ${identity(value, around)}`;
}

function identity(thing: object, known: Map<object, number>): number {
  const found = known.get(thing) ?? known.size;
  known.set(thing, found);
  return found;
}

/** Longer constants of whole numbers are tables, and count like weights. */
const MOST_NUMBERS = 256;

function constantText(tensor: Tensor, detail: Detail): string {
  if (detail === "structure") return `${tensor.dtype} rank ${tensor.dims.length}`;
  const isIndex = /int|bool/.test(tensor.dtype) && sizeOf(tensor.dims) <= MOST_NUMBERS;
  return `${tensor.dtype}[${tensor.dims}]${isIndex ? ` ${numbersOf(tensor)}` : ""}`;
}

function attributesText({ attributes }: Node, context: Walk): string {
  const entries = [...attributes].sort(([a], [b]) => (a < b ? -1 : 1));
  return entries.map(([name, attribute]) => `${name}=${attributeText(attribute, context)}`).join(" ");
}

/** Graphs are equal only to themselves. */
function attributeText(attribute: Attribute, { around, detail }: Walk): string {
  if (attribute.type === "reference") return `@${attribute.to}`;
  if (attribute.type === "tensor") return constantText(attribute.value, detail);
  const { value } = attribute;
  if (typeof value === "object" && !Array.isArray(value) && !ArrayBuffer.isView(value)) {
    return `object ${identity(value, around)}`;
  }
  if (attribute.type === "graphs" || attribute.type === "tensors") {
    return `objects ${attribute.value.map((part) => identity(part, around))}`;
  }
  return JSON.stringify(value, (_, part) => (typeof part === "bigint" ? `${part}` : part)) ?? "";
}
