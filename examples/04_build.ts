/** Builds a model from nothing, runs it on the reference evaluator and on ONNX Runtime, and saves it. */
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { graphBuilder, model, openSession, tensorFromNumbers } from "litheml";
import { numbersOf, printModel } from "litheml/ir";
import { saveModel } from "litheml/onnx/files";
import { evaluate } from "litheml/reference";

const g = graphBuilder();
const x = g.input("x", "float32", ["batch", 2]);
const w = g.constant("w", tensorFromNumbers("float32", [2, 2], [1, -1, 0.5, 2]));
g.output(g.op("Relu", [g.op("MatMul", [x, w])]), "y");
const net = model(g.build("tiny"));
console.log(printModel(net));

const feeds = new Map([["x", tensorFromNumbers("float32", [1, 2], [3, 4])]]);
console.log("reference", numbersOf(evaluate(net, feeds).get("y")!));
await using session = await openSession(net);
console.log("runtime  ", numbersOf((await session.run(feeds)).get("y")!));

const path = join(await mkdtemp(join(tmpdir(), "lithe-")), "tiny.onnx");
console.log((await saveModel(path, net)).bytes, "bytes");
