/** @file What leaves lithe: files, and models as sessions hand them to the runtime. */
import { branchNetworks } from "../../../branch-networks.ts";
import { graphs } from "../../../laws/pass-graphs.ts";
import { smallNetworks } from "../../../small-networks.ts";
import { type Cases, each, namesOf } from "../case.ts";
import { ir, type Model, models, onnx, runtime, train } from "../lithe.ts";
import { digestOf } from "../telling.ts";

/** The digest of the file, floats left out: their last bits are the machine's. */
function fileOf(model: Model): string {
  const isFloat = ({ dtype }: ir.Tensor): boolean => ir.dataTypes[dtype].kind === "float";
  const zeros = ({ dtype, dims }: ir.Tensor) => ir.tensorFromNumbers(dtype, dims, new Float64Array(ir.sizeOf(dims)));
  return digestOf(onnx.encodeModel(onnx.mapTensors(model, (tensor) => (isFloat(tensor) ? zeros(tensor) : tensor))));
}

const files: Readonly<Record<string, () => Iterable<readonly [string, Model]>>> = {
  "shipped networks": () => namesOf(models.models).map((name) => [name, smallNetworks[name].make(1)] as const),
  "graphs of the laws of passes": () => namesOf(graphs).map((name) => [name, graphs[name]()] as const),
  "networks with branches": () =>
    namesOf(branchNetworks).map((name) => [name, branchNetworks[name]({ branches: 2 })] as const),
};

function steps(): readonly (readonly [string, Model])[] {
  return (["mlp", "lenet", "resnet", "vit", "gpt"] as const).map((name) => {
    const { make, axis } = smallNetworks[name];
    const step = train.trainingStep(make(1), { loss: train.crossEntropy({ axis }), optimizer: "adamw" });
    return [name, step.model] as const;
  });
}

const target: runtime.Target = {
  ep: "cpu",
  threads: 2,
  optimization: "all",
  profile: false,
  config: new Map(),
  stock: false,
  isolate: undefined,
  limits: {},
  name: undefined,
  step: undefined,
  resident: [],
  saturates: true,
  reduced: false,
};

const targets = {
  cpu: {},
  "cpu, one thread, stock": { threads: 1, stock: true },
  "cpu that saturates nothing": { saturates: false },
  webgpu: { ep: "webgpu" },
} satisfies Record<string, Partial<runtime.Target>>;

/** What the runtime gets, where that is another model or comes with entries of its configuration. */
function prepared(options: Partial<runtime.Target>) {
  const subjects = [...Object.values(files).flatMap((list) => [...list()]), ...steps()];
  return subjects.map(([name, model]) => {
    try {
      const { model: safe, ...rest } = runtime.applyRules(model, { ...target, ...options });
      return { name, ...rest, ...(safe !== model && { safe }) };
    } catch (error) {
      return { name, refused: (error as Error).message };
    }
  });
}

export const exported: Cases = {
  ...each("files of", Object.keys(files), (kind) =>
    Object.fromEntries(Array.from(files[kind]!(), ([name, model]) => [name, fileOf(model)])),
  ),
  "files of training steps": () => Object.fromEntries(steps().map(([name, model]) => [name, fileOf(model)])),
  ...each("for the runtime on", namesOf(targets), (name) => prepared(targets[name])),
};
