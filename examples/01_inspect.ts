/** Looks at a model: its types, its cost by operator, and what is wrong with it. Usage: 01_inspect.ts [model.onnx] */
import { costOf, inferModel, verify } from "litheml";
import { demoModelPath } from "litheml/data";
import { formatType } from "litheml/ir";
import { loadModel } from "litheml/onnx/files";

const model = await loadModel(process.argv[2] ?? (await demoModelPath()));
const { types } = inferModel(model);
for (const input of model.graph.inputs) console.log("input", input.name, formatType(types.get(input)));

const { macs, params, byNode } = costOf(model);
console.log(`${params} parameters, ${macs} multiply-accumulates, ${verify(model).length} problems`);

const heaviest = [...byNode].sort((a, b) => (b.macs ?? 0) - (a.macs ?? 0)).slice(0, 5);
for (const { node, opType, macs: share } of heaviest) console.log(`${opType} ${node.name}: ${share}`);
