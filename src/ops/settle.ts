/** @file What the model declares, set against what was inferred and what the caller fixed. */
import {
  type Dim,
  type Dims,
  formatType,
  type Model,
  names,
  type TensorType,
  UNKNOWN_DIM,
  type Value,
  type ValueType,
} from "../ir/index.ts";
import { asTensor } from "./dims.ts";

export interface Bindings {
  readonly symbols: ReadonlyMap<string, number | undefined>;
  /** The type of a graph input with the caller's dims in it. */
  inputType(value: Value): ValueType | undefined;
  /** The declared type of another value, as far as it still holds. */
  declared(value: Value): ValueType | undefined;
}

interface Wanted {
  readonly feeds?: ReadonlyMap<string, Dims> | undefined;
  readonly symbols?: ReadonlyMap<string, number> | undefined;
  readonly apart?: boolean | undefined;
}

/** Binds the symbolic dims of the inputs to the caller's lengths. */
export function bindingsOf(model: Model, { feeds = new Map(), symbols = new Map(), apart = false }: Wanted): Bindings {
  const bound = new Map<string, Dim>(symbols);
  let overridden = false;
  for (const input of model.graph.inputs) {
    const fed = feeds.get(input.name);
    const dims = asTensor(input.type)?.dims ?? [];
    fed?.forEach((dim, i) => {
      const declared = dims[i] ?? UNKNOWN_DIM;
      if (typeof declared === "string" && declared !== UNKNOWN_DIM) bindName(bound, declared, dim);
      if (typeof declared === "number" && declared !== dim) overridden = true;
    });
  }
  const own = apart ? ownNames(model) : new Map<Value, Dims>();
  const bind = (dim: Dim): Dim => (typeof dim === "string" && dim !== UNKNOWN_DIM ? (bound.get(dim) ?? dim) : dim);
  return {
    symbols: symbolsOf(model, bound),
    inputType: (value) =>
      mapDims(value.type, (dims) => feeds.get(value.name) ?? (apart ? own.get(value) : dims)?.map(bind)),
    // Once a declared length was replaced, no other declared length can be relied on.
    declared: ({ type }) =>
      mapDims(type, (dims) => (overridden ? undefined : dims?.map(apart ? (dim) => lengthOnly(bind(dim)) : bind))),
  };
}

/** A name that stands for two lengths stands for none. */
function bindName(bound: Map<string, Dim>, name: string, dim: Dim): void {
  const known = bound.get(name);
  bound.set(name, known === undefined || known === dim ? dim : UNKNOWN_DIM);
}

function lengthOnly(dim: Dim): Dim {
  return typeof dim === "number" ? dim : UNKNOWN_DIM;
}

/** The dims of the inputs with another name wherever a name occurs again. */
function ownNames({ graph }: Model): Map<Value, Dims> {
  const scope = names();
  const dims = new Map<Value, Dims>();
  for (const input of graph.inputs) {
    const declared = asTensor(input.type)?.dims;
    if (!declared) continue;
    dims.set(
      input,
      declared.map((dim) => (typeof dim === "string" && dim !== UNKNOWN_DIM ? scope.fresh(dim) : dim)),
    );
  }
  return dims;
}

function symbolsOf(model: Model, bound: ReadonlyMap<string, Dim>): Map<string, number | undefined> {
  const found = new Map<string, number | undefined>();
  for (const { type } of model.graph.inputs) {
    for (const dim of asTensor(type)?.dims ?? []) {
      if (typeof dim !== "string" || dim === UNKNOWN_DIM) continue;
      const length = bound.get(dim);
      found.set(dim, typeof length === "number" ? length : undefined);
    }
  }
  return found;
}

function mapDims(
  type: ValueType | undefined,
  change: (dims: Dims | undefined) => Dims | undefined,
): ValueType | undefined {
  if (!type || type.kind === "map") return type;
  if (type.kind === "sequence" || type.kind === "optional") {
    const element = mapDims(type.element, change);
    return { kind: type.kind, element };
  }
  return tensorOf(type, change(type.dims));
}

function tensorOf({ kind, dtype }: TensorType, dims: Dims | undefined): TensorType {
  return dims ? { kind, dtype, dims } : { kind, dtype };
}

export interface Settled {
  readonly type: ValueType | undefined;
  /** Why the declared type cannot be true. */
  readonly contradiction?: string;
  /** Only the declared rank is wrong. The runtime forgives that, and goes by what it computes. */
  readonly wrongRank?: boolean;
}

/** The inferred type, completed by the declared one; the inferred one wins where they cannot both be true. */
export function settleType(inferred: ValueType | undefined, declared: ValueType | undefined): Settled {
  if (!inferred || !declared) return { type: inferred ?? declared };
  const contradiction = `declared as ${formatType(declared)}, inferred as ${formatType(inferred)}`;
  if (inferred.kind !== declared.kind) return { type: inferred, contradiction };
  if (inferred.kind === "map" || declared.kind === "map") return { type: inferred };
  if (inferred.kind === "sequence" || inferred.kind === "optional") {
    const inner = settleType(inferred.element, (declared as typeof inferred).element);
    const type: ValueType = { kind: inferred.kind, element: inner.type };
    return inner.contradiction ? { type, contradiction } : { type };
  }
  return settleTensor(inferred, declared as TensorType, contradiction);
}

function settleTensor(inferred: TensorType, declared: TensorType, contradiction: string): Settled {
  if (inferred.dtype !== declared.dtype) return { type: inferred, contradiction };
  if (!inferred.dims || !declared.dims) return { type: tensorOf(inferred, inferred.dims ?? declared.dims) };
  if (inferred.dims.length !== declared.dims.length) return { type: inferred, contradiction, wrongRank: true };
  const others = declared.dims;
  const differ = inferred.dims.some(
    (dim, i) => typeof dim === "number" && typeof others[i] === "number" && dim !== others[i],
  );
  const type = tensorOf(
    inferred,
    inferred.dims.map((dim, i) => (dim === UNKNOWN_DIM ? others[i]! : dim)),
  );
  return differ ? { type, contradiction } : { type };
}
