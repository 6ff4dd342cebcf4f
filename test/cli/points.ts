/** @file A small network, and points with the classes that it gives them itself. */
import { must, nth } from "../../src/checked.ts";
import { random } from "../../src/data/index.ts";
import { type Model, numbersOf, tensorFromNumbers } from "../../src/ir/index.ts";
import { mlp } from "../../src/models/index.ts";
import { evaluate } from "../../src/reference/index.ts";
import { noise } from "../models.ts";

/** Numbers of a point. */
export const WIDTH = 6;
const CLASSES = 3;

export const pointNetwork = mlp(random(2), { input: [WIDTH], hidden: [16], classes: CLASSES });
export const outputName = nth(pointNetwork.graph.outputs, 0).name;

/** As JSON lines, with the answers of the network as labels. */
export function points(count: number, model: Model = pointNetwork): string {
  const input = nth(model.graph.inputs, 0);
  const output = nth(model.graph.outputs, 0);
  const values = noise(count * WIDTH, 9);
  const feeds = new Map([[input.name, tensorFromNumbers("float32", [count, WIDTH], values)]]);
  const scores = [...numbersOf(must(evaluate(model, feeds), output.name))];
  return Array.from({ length: count }, (_, i) => {
    const own = scores.slice(i * CLASSES, (i + 1) * CLASSES);
    const x = [...values.slice(i * WIDTH, (i + 1) * WIDTH)];
    return JSON.stringify({ inputs: { [input.name]: x }, label: own.indexOf(Math.max(...own)) });
  }).join("\n");
}
