/** @file Control flow: `If`, `Loop`, `Scan`. */
import { atLeast, nth } from "../checked.ts";
import { InvalidModelError } from "../errors.ts";
import { type Graph, graphOf, intOf, intsOf } from "../ir/index.ts";
import { type Dense, dense, type Held, isDense, numbers, reshaped } from "./dense.ts";
import { concatenated, normalAxis, sliced } from "./indexing.ts";
import { type Call, inputOf, type Kernels, optionalInput } from "./kernel.ts";

function subgraph(call: Call, name: string): Graph {
  const graph = graphOf(call.node, name);
  if (!graph) throw new InvalidModelError(`the attribute "${name}" is missing`, { where: call.where });
  return graph;
}

function truth(held: Held | undefined): boolean {
  return isDense(held) && numbers(held)[0] !== 0;
}

function branch(call: Call): Held[] {
  return call.run(subgraph(call, truth(inputOf(call, 0)) ? "then_branch" : "else_branch"), []);
}

/** Joins per-step results along a new axis. */
function stacked(steps: readonly Held[], axis: number, where: string): Dense {
  const arrays = steps.map((step) => {
    if (!isDense(step)) throw new InvalidModelError("a scan output is not a tensor", { where });
    const at = axis < 0 ? axis + step.dims.length + 1 : axis;
    return reshaped(step, [...step.dims.slice(0, at), 1, ...step.dims.slice(at)]);
  });
  const first = nth(arrays, 0);
  return concatenated(arrays, axis < 0 ? axis + first.dims.length : axis);
}

/** What a scan output without any step is: no rows of the type that the body declares. */
function noSteps(body: Graph, output: number): Dense {
  const type = body.outputs[output]?.type;
  const dims = type?.kind === "tensor" && type.dims ? type.dims.map((dim) => (typeof dim === "number" ? dim : 0)) : [];
  return dense(type?.kind === "tensor" ? type.dtype : "float32", [0, ...dims], []);
}

/** The body takes the step number, the condition and the carried values; it gives the condition, these and scan outputs. */
function loop(call: Call): Held[] {
  const body = subgraph(call, "body");
  const trips = optionalInput(call, 0);
  const limit = trips ? numbers(trips)[0]! : Number.POSITIVE_INFINITY;
  let going: Held = optionalInput(call, 1) ?? dense("bool", [], [1]);
  const carried = call.inputs.length - 2;
  let state = call.inputs.slice(2) as Held[];
  const scans: Held[][] = body.outputs.slice(1 + carried).map(() => []);
  for (let step = 0; step < limit && truth(going); step++) {
    const results: readonly Held[] = call.run(body, [dense("int64", [], [step]), going, ...state]);
    const [next, ...rest] = atLeast(results, 1);
    going = next;
    state = rest.slice(0, carried);
    rest.slice(carried).forEach((value, i) => void nth(scans, i).push(value));
  }
  const collected = scans.map((steps, i) =>
    steps.length === 0 ? noSteps(body, 1 + carried + i) : stacked(steps, 0, call.where),
  );
  return [...state, ...collected];
}

function withoutAxis(x: Dense, axis: number, at: number): Dense {
  return reshaped(
    sliced(x, axis, at, 1),
    x.dims.filter((_, i) => i !== axis),
  );
}

/** One pass over sequences; `axes` and `reversed` are per scan input or output. */
function scanOnce(call: Call, body: Graph, state: readonly Held[], inputs: readonly Dense[]): Held[] {
  const { node } = call;
  const outputs = body.outputs.length - state.length;
  const inputAxes = inputs.map((x, i) => normalAxis(intsOf(node, "scan_input_axes")?.[i] ?? 0, x.dims.length));
  const backwards = intsOf(node, call.version < 9 ? "directions" : "scan_input_directions");
  const length = nth(nth(inputs, 0).dims, nth(inputAxes, 0));
  const scans: Held[][] = Array.from({ length: outputs }, () => []);
  let carried = [...state];
  for (let step = 0; step < length; step++) {
    const slices = inputs.map((x, i) =>
      withoutAxis(x, nth(inputAxes, i), backwards?.[i] === 1 ? length - 1 - step : step),
    );
    const results = call.run(body, [...carried, ...slices]);
    carried = results.slice(0, state.length);
    results.slice(state.length).forEach((value, i) => void nth(scans, i).push(value));
  }
  const collected = scans.map((steps, i) => {
    const ordered = intsOf(node, "scan_output_directions")?.[i] === 1 ? steps.reverse() : steps;
    const axis = intsOf(node, "scan_output_axes")?.[i] ?? 0;
    return ordered.length === 0 ? noSteps(body, state.length + i) : stacked(ordered, axis, call.where);
  });
  return [...carried, ...collected];
}

/** Opset 8 has a batch axis in front and optional lengths; later versions have neither. */
function scan(call: Call): Held[] {
  const body = subgraph(call, "body");
  const count = intOf(call.node, "num_scan_inputs", 0);
  const given = (call.version < 9 ? call.inputs.slice(1) : call.inputs) as Dense[];
  const [state, inputs] = [given.slice(0, given.length - count), given.slice(given.length - count)];
  if (call.version >= 9) return scanOnce(call, body, state, inputs);
  const batches = Array.from({ length: nth(nth(inputs, 0).dims, 0) }, (_, b) =>
    scanOnce(
      call,
      body,
      state.map((x) => withoutAxis(x, 0, b)),
      inputs.map((x) => withoutAxis(x, 0, b)),
    ),
  );
  return nth(batches, 0).map((_, i) =>
    stacked(
      batches.map((results) => nth(results, i)),
      0,
      call.where,
    ),
  );
}

export const controls = {
  If: branch,
  Loop: loop,
  Scan: scan,
} satisfies Kernels;
