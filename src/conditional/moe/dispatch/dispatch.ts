/** @file What a dispatch is: it carries rows to the experts that a routing names and brings the weighed answers back. */
import type { Value } from "../../../ir/index.ts";
import type { Layers } from "../../../nn/index.ts";
import type { Expert } from "../expert.ts";
import type { Routing } from "../routing.ts";

export interface Dispatched {
  /** [tokens, …], for each token Σ weight · answer. A token that no expert took gets zeros. */
  readonly output: Value;
  /** A scalar: the share of (token, expert) pairs that capacity left out; absent where nothing can be. */
  readonly dropped?: Value;
}

export interface Dispatch {
  readonly name: string;
  /** Kinds of routing that it can carry out. */
  readonly kinds: readonly Routing["kind"][];
  /** Whether the work goes with the rows that are routed rather than with tokens · experts. */
  readonly hard: boolean;
  build(n: Layers, rows: Value, routing: Routing, expert: Expert, experts: number): Dispatched;
}
