/** @file Axes that are products: which one factor of each can be cut, and which are held. */
import type { Value } from "../ir/index.ts";
import type { BoundEnd, BoundLink, DimsOfValue, NodeLinks } from "./bound-links.ts";

/** Which factor of `heads × width` is cut: whole heads (groups, channels before their places), or positions within each. */
export type FactorPreference = "outer" | "inner";

/**
 * Links through which positions go. A product axis can be cut along one of its factors only, in all places at once: factors that hang
 * together over the model are chosen together, those that can be cut before others, then by preference, then the longer ones.
 */
export function chosenLinks(
  nodes: readonly NodeLinks[],
  dimsOf: DimsOfValue,
  fixedValues: readonly Value[],
  preference: FactorPreference,
): ReadonlySet<BoundLink> {
  const axes = new AxisComponents();
  for (const { links } of nodes) for (const { ends } of links) axes.join(ends.filter(isWhole));
  const dead = deadAxes(nodes, dimsOf, fixedValues, axes);
  const products = nodes.flatMap(({ links }) => links.filter(({ ends }) => ends.some(isProduct)));
  const groups = factorGroups(products, axes, preference, dead);
  const taken = new Set<string>();
  const chosen = new Set<BoundLink>(nodes.flatMap(({ links }) => links.filter(({ ends }) => !ends.some(isProduct))));
  for (const group of groups.sort(byMerit)) {
    if (group.isDead || [...group.products].some((axis) => taken.has(axis))) continue;
    for (const axis of group.products) taken.add(axis);
    for (const link of group.links) chosen.add(link);
  }
  return chosen;
}

interface FactorGroup {
  readonly links: BoundLink[];
  /** The product axes of which this is a factor. */
  readonly products: Set<string>;
  votes: number;
  length: number;
  isDead: boolean;
}

function byMerit(a: FactorGroup, b: FactorGroup): number {
  return b.votes - a.votes || b.length - a.length;
}

function isProduct({ outer = 1, inner = 1 }: BoundEnd): boolean {
  return outer > 1 || inner > 1;
}

function isWhole(end: BoundEnd): boolean {
  return !isProduct(end) && end.offset === undefined && end.places === undefined;
}

type Axis = Pick<BoundEnd, "value" | "axis">;

/** Axes that are one axis, as whole ends of links. */
class AxisComponents {
  readonly #ids = new Map<Value, number>();
  readonly #sets = new Components();

  #keyOf({ value, axis }: Axis): string {
    const id = this.#ids.get(value) ?? this.#ids.size;
    this.#ids.set(value, id);
    return `${id}.${axis}`;
  }

  rootOf(axis: Axis): string {
    return this.#sets.rootOf(this.#keyOf(axis));
  }

  join(axes: readonly Axis[]): void {
    this.#sets.joinAll(axes.map((axis) => this.#keyOf(axis)));
  }
}

/** Axes of which some node takes none of the links, or that the model's signature fixes. */
function deadAxes(nodes: readonly NodeLinks[], dimsOf: DimsOfValue, fixed: readonly Value[], axes: AxisComponents) {
  const dead = new Set<string>();
  const kill = (value: Value, linked: (axis: number) => boolean) => {
    for (const [axis, dim] of (dimsOf(value) ?? []).entries()) {
      if (dim !== 1 && !linked(axis)) dead.add(axes.rootOf({ value, axis }));
    }
  };
  for (const value of fixed) kill(value, () => false);
  for (const { links, touched, refused } of nodes) {
    const ends = refused === undefined ? links.flatMap((link) => link.ends) : [];
    for (const value of touched) kill(value, (axis) => ends.some((end) => end.value === value && end.axis === axis));
  }
  return dead;
}

function factorGroups(
  links: readonly BoundLink[],
  axes: AxisComponents,
  preference: FactorPreference,
  dead: ReadonlySet<string>,
): FactorGroup[] {
  const views = new Components();
  const viewOf = (end: BoundEnd, { length }: BoundLink): string => {
    const root = axes.rootOf(end);
    return isProduct(end) ? `${root}/${end.outer ?? 1}/${length}/${end.inner ?? 1}` : root;
  };
  for (const link of links) views.joinAll(link.ends.map((end) => viewOf(end, link)));
  const groups = new Map<string, FactorGroup>();
  for (const link of links) {
    const key = views.rootOf(viewOf(link.ends[0]!, link));
    const group = groups.get(key) ?? {
      links: [],
      products: new Set(),
      votes: 0,
      length: link.length ?? 0,
      isDead: false,
    };
    groups.set(key, group);
    group.links.push(link);
    for (const end of link.ends) {
      const root = axes.rootOf(end);
      if (!isProduct(end)) group.isDead ||= dead.has(root);
      else {
        group.products.add(root);
        group.votes += (end[preference] ?? 1) === 1 ? 1 : -1;
      }
    }
  }
  return [...groups.values()];
}

/** Disjoint sets of names. */
class Components {
  readonly #parent = new Map<string, string>();

  rootOf(key: string): string {
    let root = key;
    for (let next = this.#parent.get(root); next !== undefined; next = this.#parent.get(root)) root = next;
    if (root !== key) this.#parent.set(key, root);
    return root;
  }

  joinAll([first, ...others]: readonly string[]): void {
    for (const other of others) {
      const [kept, gone] = [this.rootOf(first!), this.rootOf(other)];
      if (kept !== gone) this.#parent.set(gone, kept);
    }
  }
}
