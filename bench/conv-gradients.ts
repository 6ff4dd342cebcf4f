/**
 * @file The forms of a convolution's gradients against each other, per shape, interleaved, at one thread and at two: medians in
 * milliseconds, the fastest form, and the one that the rules of thumb choose.
 *
 *     node --import ./scripts/typescript.mjs bench/conv-gradients.ts [ROUNDS]
 */

import { inputForms } from "../src/autodiff/conv/input-gradient.ts";
import { weightForms } from "../src/autodiff/conv/weight-gradient.ts";
import {
  defaultForms,
  differentiateGraph,
  type Forms,
  type InputForm,
  type WeightForm,
} from "../src/autodiff/index.ts";
import { graphBuilder, type Model, model, type Tensor, tensor } from "../src/ir/index.ts";
import { median } from "../src/measure/index.ts";
import { builderInference } from "../src/ops/index.ts";
import { openSession, type Session } from "../src/runtime/index.ts";

/** Batch, input and output channels, kernel, side of the image, stride, groups. */
const shapes = [
  [32, 3, 32, 3, 32, 1, 1],
  [32, 16, 16, 3, 32, 1, 1],
  [32, 32, 32, 3, 32, 1, 1],
  [32, 32, 32, 3, 16, 1, 1],
  [32, 64, 64, 3, 16, 1, 1],
  [32, 64, 64, 3, 8, 1, 1],
  [32, 32, 64, 3, 32, 2, 1],
  [32, 64, 128, 3, 16, 2, 1],
  [32, 64, 64, 1, 32, 1, 1],
  [32, 64, 128, 1, 16, 2, 1],
  [8, 64, 64, 3, 56, 1, 1],
  [8, 16, 32, 5, 28, 1, 1],
  [16, 3, 64, 7, 64, 2, 1],
  [32, 64, 64, 3, 16, 1, 4],
  [32, 64, 64, 3, 32, 1, 64],
] as const;
type Shape = (typeof shapes)[number];

const rounds = Number(process.argv[2] ?? 7);

/** x, w and dy in; the one gradient out. */
function gradientModel(shape: Shape, wanted: "x" | "w", forms: Forms): { model: Model; feeds: Map<string, Tensor> } {
  const [n, c, o, k, side, stride, group] = shape;
  const pad = Math.floor(k / 2);
  const to = Math.floor((side + 2 * pad - k) / stride) + 1;
  const g = graphBuilder({ infer: builderInference(21) });
  const dims = { x: [n, c, side, side], w: [o, c / group, k, k], dy: [n, o, to, to] };
  const values = Object.entries(dims).map(([name, list]) => g.input(name, "float32", list));
  const attributes = { pads: [pad, pad, pad, pad], strides: [stride, stride], group, kernel_shape: [k, k] };
  const y = g.op("Conv", values.slice(0, 2), attributes);
  const wrt = values[wanted === "x" ? 0 : 1]!;
  const { graph, gradients, forward } = differentiateGraph(g.build(), {
    of: y,
    wrt: [wrt],
    seed: values[2]!,
    opset: 21,
    forms,
  });
  const gradient = gradients.get(wrt)!;
  const used = new Set(graph.nodes.slice(forward).flatMap(({ inputs }) => inputs));
  const inputs = values.filter((value) => used.has(value));
  const feeds = inputs.map(({ name }): [string, Tensor] => [name, noise(dims[name as keyof typeof dims])]);
  return {
    model: model({ ...graph, inputs, outputs: [gradient], nodes: graph.nodes.slice(forward) }),
    feeds: new Map(feeds),
  };
}

function noise(dims: readonly number[]): Tensor {
  const size = dims.reduce((count, d) => count * d, 1);
  return tensor(
    "float32",
    dims,
    Float32Array.from({ length: size }, (_, i) => Math.sin(i * 12.9898)),
  );
}

function applies(shape: Shape, form: { applies(geometry: never): boolean }): boolean {
  const [n, c, o, k, side, stride, group] = shape;
  const pad = Math.floor(k / 2);
  const to = Math.floor((side + 2 * pad - k) / stride) + 1;
  const two = (x: number) => [x, x];
  return form.applies({
    batch: n,
    group,
    inputs: c / group,
    outputs: o / group,
    kernel: two(k),
    strides: two(stride),
    dilations: [1, 1],
    begin: two(pad),
    end: two(pad),
    from: two(side),
    to: two(to),
  } as never);
}

async function measure(shape: Shape, wanted: "x" | "w", threads: number): Promise<Map<string, number>> {
  const table = wanted === "x" ? inputForms : weightForms;
  const names = Object.entries(table)
    .filter(([, form]) => applies(shape, form))
    .map(([name]) => name);
  const sessions: { name: string; session: Session; run: () => Promise<number>; times: number[] }[] = [];
  for (const name of [...names, "chosen"]) {
    const only: Forms["conv"] = { input: () => [name as InputForm], weight: () => [name as WeightForm] };
    const { model: source, feeds } = gradientModel(
      shape,
      wanted,
      name === "chosen" ? defaultForms : { ...defaultForms, conv: only },
    );
    const session = await openSession(source, { threads });
    const held = await session.hold!(feeds);
    const run = async () => (await held.time(1)).times[0]!;
    await run();
    sessions.push({ name, session, run, times: [] });
  }
  for (let round = 0; round < rounds; round++) {
    const order = round % 2 ? [...sessions].reverse() : sessions;
    for (const entry of order) entry.times.push(await entry.run());
  }
  for (const { session } of sessions) await session.release();
  return new Map(sessions.map(({ name, times }) => [name, median(times)]));
}

for (const threads of [1, 2]) {
  console.log(`\n${threads} thread${threads > 1 ? "s" : ""}: N C O k side stride groups`);
  for (const shape of shapes) {
    for (const wanted of ["x", "w"] as const) {
      const times = await measure(shape, wanted, threads);
      const chosen = times.get("chosen")!;
      times.delete("chosen");
      const sorted = [...times].sort((a, b) => a[1] - b[1]);
      const best = sorted[0]![1];
      const list = sorted.map(([name, time]) => `${name} ${time.toFixed(2)} (${(time / best).toFixed(2)})`).join(", ");
      console.log(`${shape.join(" ")}  d${wanted}: ${list}; chosen ${(chosen / best).toFixed(2)}`);
    }
  }
}
