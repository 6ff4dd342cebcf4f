/** @file One stand-in for a new member of each family: what exists under another name, which the laws must accept as it is. */
import { type Addition, behind, newFile } from "./addition.ts";

const gates = "src/conditional/moe/gates";
const observers = "src/quantize/calibration/observers";
const losses = "src/train/losses";
const optimizers = "src/train/optimizers";

const lossCase = {
  ...{ loss: "standIn", options: {}, dims: [1, 2], prediction: [1, 3], labelDims: [1, 2], labelType: "float64" },
  ...{ labels: [0, 1], value: 2.5, gradient: [1, 2] },
};

export const additions: readonly Addition[] = [
  {
    what: "a gate",
    most: 3,
    edits: [
      newFile(
        `${gates}/stand-in.ts`,
        "/** @file The two best experts under another name. */",
        'import type { Gate } from "../gate.ts";',
        'import { checkExperts } from "../scores.ts";',
        'import { topKGate } from "./top-k.ts";',
        "",
        "/** As `topKGate`. */",
        "export function standIn(): Gate {",
        "  return {",
        "    ...topKGate(),",
        '    name: "stand-in",',
        "    build(n, inputs, experts) {",
        '      checkExperts(experts, "stand-in");',
        "      return topKGate().build(n, inputs, experts);",
        "    },",
        "  };",
        "}",
      ),
      behind(
        `${gates}/index.ts`,
        'import { softSlots } from "./soft-slots.ts";',
        'import { standIn } from "./stand-in.ts";',
      ),
      behind(`${gates}/index.ts`, '  "soft-slots": softSlots,', '  "stand-in": standIn,'),
      behind(
        "test/laws/gates.test.ts",
        "  soft: { gate: gates.soft(), sum: [1, 1] },",
        '  "stand-in": { gate: gates["stand-in"](), sum: [1, 1] },',
      ),
    ],
    tests: ["test/laws/gates.test.ts", "test/laws/mixtures.test.ts"],
  },
  {
    what: "an observer",
    most: 3,
    edits: [
      newFile(
        `${observers}/stand-in.ts`,
        "/** @file The whole range under another name. */",
        'import { minMax } from "./min-max.ts";',
        "",
        "/** As `minMax`. */",
        "export const standIn = () => minMax();",
      ),
      behind(
        `${observers}/index.ts`,
        'import { percentile } from "./percentile.ts";',
        'import { standIn } from "./stand-in.ts";',
      ),
      behind(`${observers}/index.ts`, '  "moving-average": movingAverage,', '  "stand-in": standIn,'),
    ],
    tests: ["test/laws/quantize.test.ts", observers],
  },
  {
    what: "a loss",
    most: 3,
    edits: [
      newFile(
        `${losses}/stand-in.ts`,
        "/** @file The mean squared error under another name. */",
        'import { member } from "../../settings/index.ts";',
        'import type { Loss } from "./loss.ts";',
        'import { meanSquaredError } from "./mean-squared-error.ts";',
        "",
        "/** As `meanSquaredError`. */",
        "export function standIn(): Loss {",
        '  return { ...meanSquaredError(), name: "standIn" };',
        "}",
        "",
        "member(standIn, {});",
      ),
      behind(
        `${losses}/index.ts`,
        'import { softCrossEntropy } from "./soft-cross-entropy.ts";',
        'import { standIn } from "./stand-in.ts";',
      ),
      behind(`${losses}/index.ts`, "  softCrossEntropy,", "  standIn,"),
      behind("test/fixtures/losses/torch.json", '"cases": [', `${JSON.stringify(lossCase)},`),
    ],
    tests: ["test/laws/losses.test.ts"],
  },
  {
    what: "an optimizer",
    most: 3,
    edits: [
      newFile(
        `${optimizers}/stand-in.ts`,
        "/** @file Plain descent under another name. */",
        'import { member } from "../../settings/index.ts";',
        'import type { Optimizer } from "./optimizer.ts";',
        'import { sgd } from "./sgd.ts";',
        "",
        "/** As `sgd` with its usual settings. */",
        "export function standIn(): Optimizer {",
        '  return { ...sgd(), name: "standIn" };',
        "}",
        "",
        "member(standIn, {});",
      ),
      behind(`${optimizers}/index.ts`, 'import { sgd } from "./sgd.ts";', 'import { standIn } from "./stand-in.ts";'),
      behind(`${optimizers}/index.ts`, "export const optimizers = {", "  standIn,"),
      behind(
        "test/laws/optimizer-references.ts",
        "export const references: Record<OptimizerName, Reference> = {",
        "  standIn: { ...sgd, options: [{}] },",
      ),
    ],
    tests: ["test/laws/optimizers.test.ts"],
  },
  {
    what: "a pass",
    most: 4,
    edits: [
      newFile(
        "src/passes/stand-in.ts",
        "/** @file Removes `Identity` under another name. */",
        'import type { Pass } from "../rewrite/index.ts";',
        'import { eliminateIdentity } from "./eliminate-identity.ts";',
        "",
        "/** As `eliminateIdentity`. */",
        "export function standIn(): Pass {",
        '  return { ...eliminateIdentity(), name: "stand-in" };',
        "}",
      ),
      behind(
        "src/passes/index.ts",
        'import { squeezeScalars } from "./squeeze-scalars.ts";',
        'import { standIn } from "./stand-in.ts";',
      ),
      behind(
        "src/passes/index.ts",
        '  "eliminate-dropout": () => eliminateDropout(),',
        '  "stand-in": () => standIn(),',
      ),
      behind(
        "test/laws/pass-graphs.ts",
        '  "eliminate-dropout": ["dropout at inference"],',
        '  "stand-in": ["identity inside and at the output"],',
      ),
      behind(
        "docs/passes.md",
        "| `Neg(Dropout(x))` → `Neg(x)`                          |",
        "| `stand-in` | exact | as `eliminate-identity` | |",
      ),
    ],
    tests: ["test/laws/passes.test.ts", "test/golden/passes.test.ts", "test/laws/names.test.ts"],
  },
  {
    what: "an operator with a gradient",
    most: 5,
    edits: [
      behind(
        "src/ops/contrib.ts",
        '  "com.microsoft::QuickGelu": pointwise([1], sameType),',
        '  "com.microsoft::SampleOp": pointwise([1], sameType),',
      ),
      behind(
        "src/reference/microsoft.ts",
        '  "com.microsoft::QuickGelu": quick,',
        '  "com.microsoft::SampleOp": (call) => inputOf(call, 0),',
      ),
      behind(
        "src/autodiff/rules/elementwise.ts",
        "  Neg: (g, _, [dy]) => (dy ? [g.neg(dy)] : []),",
        '  "com.microsoft::SampleOp": identity,',
      ),
      behind(
        "test/laws/gradient-cases/elementwise.ts",
        '  unary("Gelu", {}, {}, "com.microsoft"),',
        '  unary("SampleOp", {}, {}, "com.microsoft"),',
      ),
      behind(
        "test/laws/reference.test.ts",
        '  { op: "QuickGelu", inputs: [f(2, 5)] },',
        '  { op: "SampleOp", inputs: [f(2, 5)] },',
      ),
    ],
    tests: [
      "test/laws/gradients.test.ts",
      "test/laws/axes.test.ts",
      "test/laws/costs.test.ts",
      "test/laws/reference.test.ts",
    ],
  },
  {
    what: "a command",
    most: 2,
    edits: [
      newFile(
        "src/cli/stand-in.ts",
        "/** @file `lithe stand-in`: the version. */",
        'import * as z from "zod";',
        'import { version } from "../job/version.ts";',
        'import { flag, setting } from "../settings/index.ts";',
        'import { defineCommand } from "./command.ts";',
        "",
        "const settings = z.strictObject({",
        '  quietly: setting("--quietly", "without a word", flag().exactOptional()),',
        "});",
        "",
        "export const command = defineCommand({",
        '  operands: [["<model>", "an .onnx file"]],',
        "  settings,",
        "  async run(_, { quietly }, console) {",
        "    if (!quietly && !console.json) console.say(version);",
        "    return { result: { version } };",
        "  },",
        "});",
      ),
      behind(
        "src/cli/commands.ts",
        "export const commands: Readonly<Record<string, CommandEntry>> = {",
        '  "stand-in": { summary: "The version", load: async () => (await import("./stand-in.ts")).command },',
      ),
      newFile("docs/stand-in.md", "# lithe stand-in", "", "The version. `--quietly`: without a word."),
    ],
    tests: ["test/cli/options.test.ts"],
  },
];
