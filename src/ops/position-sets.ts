/** @file Sets of positions on axes of values: united where one cannot go without the other, fixed where none may go. */
import type { Value } from "../ir/index.ts";
import type { DimsOfValue } from "./bound-links.ts";

/** Axes of more positions are not cut one by one: no layer is that wide, vocabularies are. */
const LONGEST = 2 ** 20;

/** Positions are numbers, counted through over all axes of all values. */
export class PositionSets {
  readonly #first = new Map<Value, readonly (number | undefined)[]>();
  #fixed = 0;
  readonly #parent: Int32Array;
  /** Why a set is fixed, and when that was said: of two reasons the first stays. */
  readonly #reasons = new Map<number, { readonly reason: string; readonly order: number }>();
  readonly #mixed: Uint8Array;

  constructor(values: Iterable<Value>, dimsOf: DimsOfValue) {
    let count = 0;
    for (const value of values) {
      if (this.#first.has(value)) continue;
      const starts = dimsOf(value)?.map((dim) => {
        if (typeof dim !== "number" || dim > LONGEST) return undefined;
        count += dim;
        return count - dim;
      });
      this.#first.set(value, starts ?? []);
    }
    this.#parent = new Int32Array(count).map((_, i) => i);
    this.#mixed = new Uint8Array(count);
  }

  /** The first position of an axis; `undefined` when its length is not known. */
  first(value: Value, axis: number): number | undefined {
    return this.#first.get(value)?.[axis];
  }

  /** The number of a position's set. */
  setOf(position: number): number {
    let root = position;
    while (this.#parent[root] !== root) root = this.#parent[root]!;
    for (let at = position; at !== root; ) {
      const next = this.#parent[at]!;
      this.#parent[at] = root;
      at = next;
    }
    return root;
  }

  unite(a: number, b: number): void {
    const [kept, gone] = [this.setOf(a), this.setOf(b)];
    if (kept === gone) return;
    this.#parent[gone] = kept;
    this.#mixed[kept]! |= this.#mixed[gone]!;
    const [own, other] = [this.#reasons.get(kept), this.#reasons.get(gone)];
    if (other && !(own && own.order < other.order)) this.#reasons.set(kept, other);
  }

  fix(position: number, reason: string): void {
    const set = this.setOf(position);
    if (!this.#reasons.has(set)) this.#reasons.set(set, { reason, order: this.#fixed++ });
  }

  /** Results of an operator depend on all positions of this axis, of this one too. */
  mix(position: number): void {
    this.#mixed[this.setOf(position)] = 1;
  }

  isMixed(set: number): boolean {
    return this.#mixed[set] === 1;
  }

  /** Why a set cannot be cut. */
  reason(set: number): string | undefined {
    return this.#reasons.get(set)?.reason;
  }
}
