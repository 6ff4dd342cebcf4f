/**
 * @file Writes docs/operators.md from the table of operators.
 *
 *     node --import ./scripts/typescript.mjs scripts/operators.ts
 */
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type GradientEntry, gradientTable } from "../src/autodiff/index.ts";
import { noAxes, opaqueAxes } from "../src/ops/axes.ts";
import { costPerInput, costPerOutput, noCost, unknownCost } from "../src/ops/cost.ts";
import { type OpSpec, opTable } from "../src/ops/index.ts";
import { costPerWindow } from "../src/ops/pool.ts";

export const operatorsPath = fileURLToPath(new URL("../docs/operators.md", import.meta.url));

const costs = new Map<OpSpec["cost"], string>([
  [noCost, "none"],
  [costPerOutput, "output elements"],
  [costPerInput, "input elements"],
  [costPerWindow, "window elements"],
  [unknownCost, "not counted"],
]);

const axes = new Map<OpSpec["axes"], string>([
  [noAxes, "none"],
  [opaqueAxes, "opaque"],
]);

const introduction = `# Operators

Made by \`scripts/operators.ts\` from the tables in \`src/ops/\` and \`src/autodiff/\`; a test fails when it is stale. An operator that is not here is
opaque: it is kept as it is, its types are those that the model declares, and nothing is known of its axes and cost.

- **Versions**: opset versions of its domain at which the definition changed. All of them are understood.
- **Shape**: every operator has a rule for types and dims. *Elements* says that the elements of small integer tensors are
  followed as well, so that chains such as \`Shape → Gather → Concat → Reshape\` resolve; symbolic dims keep their names.
- **Axes**: *mapped* when the axes of the inputs are linked to those of the outputs; *none* when no axis goes through;
  *opaque* when nothing is known.
- **Cost**: multiply-accumulates (one each, biases left out), or elementwise work counted per element of the output, of the
  input, or of the windows that a pool looks at. Data movement costs none.
- **Exactness**: *exact* operators move, select or compare; *rounding* ones do arithmetic in floats; *random* ones draw.
- **Gradient**: *rule*; *expanded* when the operator is differentiated as the standard operators that it is made of; *zero*
  where the derivative is zero wherever it exists; or why there is none, which is an error that names the node.

Parameters are the elements of float initializers and constants, and of quantized weights where an operator reads them as
such (the input of DequantizeLinear, the packed weight of MatMulNBits). Scales, zero points, bounds, sizes, scalars and
integers that steer shapes are none. Running means and variances are counted apart.
`;

/** The whole page. */
export function operatorsPage(): string {
  const rows = Object.entries<OpSpec>(opTable)
    .sort(([a], [b]) => (domainOf(a) === domainOf(b) ? (a < b ? -1 : 1) : domainOf(a) < domainOf(b) ? -1 : 1))
    .map(([name, spec]) => `| ${name} | ${spec.since.join(", ")} | ${columns(name, spec).join(" | ")} |`);
  const header = "| Operator | Versions | Shape | Axes | Cost | Exactness | Gradient |\n|---|---|---|---|---|---|---|";
  return `${introduction}\n${rows.length} operators.\n\n${header}\n${rows.join("\n")}\n`;
}

function domainOf(name: string): string {
  return name.includes("::") ? name.slice(0, name.indexOf("::")) : "";
}

const gradients = new Map<string, GradientEntry>(Object.entries(gradientTable));

function gradientOf(name: string): string {
  const entry = gradients.get(name);
  if (entry === undefined || typeof entry === "function") return entry ? "rule" : "";
  if (entry.kind === "refuse") return `none: ${entry.reason}`;
  return entry.kind === "stop" ? "zero" : "expanded";
}

function columns(name: string, spec: OpSpec): string[] {
  return [
    spec.symbols ? "yes, elements" : "yes",
    axes.get(spec.axes) ?? "mapped",
    costs.get(spec.cost) ?? "multiply-accumulates",
    spec.exactness,
    gradientOf(name),
  ];
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(operatorsPath, operatorsPage());
