/** @file Constants that quantizers write: whoever asks for the same content gets the same value, so nothing is stored twice. */
import {
  allGraphs,
  bytesOfTensor,
  type Draft,
  dataTypes,
  editAllGraphs,
  type Graph,
  type Initializer,
  int64s,
  isSparse,
  type Model,
  makeNode,
  type Node,
  sizeOf,
  type Tensor,
  tensorIndex,
  type Value,
} from "../../ir/index.ts";

/** What is stored, by content. */
export interface StoredContents {
  /** The value that holds the content, or what computes it from one that does; `undefined` when nothing does. */
  find(content: Tensor): Found | undefined;
  add(value: Value, content: Tensor): void;
}

/** `view` makes the content of what `value` holds; the runtime computes it once, when it loads the model. */
export interface Found {
  readonly value: Value;
  readonly view?: View;
}

export interface View {
  readonly opType: "Transpose" | "Reshape";
  /** The permutation or the dims. */
  readonly numbers: readonly number[];
}

/** Smaller constants are stored as often as they have different dims. */
const SMALLEST_VIEW = 1024;

export function storedContents(): StoredContents {
  const same = tensorIndex<Value>();
  const flat = tensorIndex<Value>();
  return {
    find(content) {
      const value = same.get(content);
      if (value) return { value };
      if (sizeOf(content.dims) < SMALLEST_VIEW) return undefined;
      const reshaped = flat.get(flattened(content));
      if (reshaped) return { value: reshaped, view: { opType: "Reshape", numbers: content.dims } };
      const turned = canTurn(content) ? same.get(transposed(content)) : undefined;
      return turned && { value: turned, view: { opType: "Transpose", numbers: [1, 0] } };
    },
    add(value, content) {
      same.set(content, value);
      if (sizeOf(content.dims) >= SMALLEST_VIEW) flat.set(flattened(content), value);
    },
  };
}

/** The same bytes without axes, so that it does not matter how they are cut. */
function flattened({ dtype, data, dims }: Tensor): Tensor {
  return { dtype, data, dims: [sizeOf(dims)] };
}

function canTurn({ dtype, dims }: Tensor): boolean {
  return dims.length === 2 && dataTypes[dtype].bits === 8;
}

function transposed(source: Tensor): Tensor {
  const [rows = 0, columns = 0] = source.dims;
  const bytes = bytesOfTensor(source);
  const turned = new Uint8Array(bytes.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) turned[column * rows + row] = bytes[row * columns + column]!;
  }
  return { dtype: source.dtype, dims: [columns, rows], data: turned };
}

/** The node that makes a view under a new name, with the constant that a Reshape needs. */
export function viewNode({ value, view }: Required<Found>, output: Value, shape: (dims: Tensor) => Value): Node {
  const parts = { name: output.name };
  if (view.opType === "Transpose")
    return makeNode("Transpose", [value], [output], { ...parts, attributes: { perm: view.numbers } });
  return makeNode("Reshape", [value, shape(int64s(view.numbers))], [output], parts);
}

/** Holds a tensor where the value `home` is defined, so that all branches that read `home` can read it. */
export type Store = (home: Value, name: string, content: Tensor) => Value;

/** `editAllGraphs` with a store of constants over all graphs. */
export function editWithStore(model: Model, edit: (draft: Draft, store: Store) => void): Model {
  const homes = homesIn(model.graph);
  const shelves = new Map<Home, Shelf>();
  return editAllGraphs(model, (draft) => {
    const views = new Map<string, Value>();
    edit(draft, (home, name, content) => {
      const owner = homes.get(home) ?? draft.graph.initializers;
      const shelf = shelves.get(owner) ?? newShelf(owner);
      shelves.set(owner, shelf);
      return taken(shelf, draft, views, name, content);
    });
    for (const [value, content] of shelves.get(draft.graph.initializers)?.made ?? []) {
      draft.setInitializer(value, content);
    }
  });
}

/** A graph is known by its map of initializers, which stays the same object while its nodes are edited. */
type Home = ReadonlyMap<Value, Initializer>;

interface Shelf {
  readonly contents: StoredContents;
  readonly made: Map<Value, Tensor>;
}

/** Integers that the graph holds already are found, too. */
function newShelf(owner: Home): Shelf {
  const contents = storedContents();
  for (const [value, data] of owner) {
    if (!isSparse(data) && dataTypes[data.dtype].kind !== "float" && dataTypes[data.dtype].bits === 8) {
      contents.add(value, data);
    }
  }
  return { contents, made: new Map() };
}

function homesIn(main: Graph): ReadonlyMap<Value, Home> {
  const homes = new Map<Value, Home>();
  for (const { initializers, nodes } of allGraphs(main)) {
    for (const value of initializers.keys()) homes.set(value, initializers);
    for (const { outputs } of nodes) for (const value of outputs) if (value) homes.set(value, initializers);
  }
  return homes;
}

function taken(
  { contents, made }: Shelf,
  draft: Draft,
  views: Map<string, Value>,
  name: string,
  content: Tensor,
): Value {
  const found = contents.find(content);
  if (found && !found.view) return found.value;
  const type = { kind: "tensor", dtype: content.dtype, dims: content.dims } as const;
  if (!found?.view) {
    const value = draft.value(name, type);
    contents.add(value, content);
    made.set(value, content);
    return value;
  }
  const key = `${found.value.name} ${found.view.opType} ${found.view.numbers.join()}`;
  const known = views.get(key);
  if (known) return known;
  const view = draft.value(`${name}_view`, type);
  views.set(key, view);
  draft.prepend(
    viewNode({ value: found.value, view: found.view }, view, (dims) => draft.constant(`${name}_dims`, dims)),
  );
  return view;
}
