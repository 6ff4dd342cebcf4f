/** @file Mixtures of experts: every gate and every dispatch, in training and for inference, and dense networks made into them. */
import { type Cases, each, namesOf } from "../case.ts";
import { conditional, data, type Model, models, nn, train, type Value } from "../lithe.ts";

const { dispatches, gates, mlpExpert } = conditional;

const WIDTH = 6;
const EXPERTS = 4;

/** Written down, so that no fit decides the graph. */
const tree: conditional.DecisionTree = { depth: 2, features: [1, 0, 3], thresholds: [0.25, -0.5, 0.125] };

/** Of the gates that are to be seen with other settings than their usual ones, or have none. */
const settings = {
  score: [gates.score(), gates.score({ normalise: "none" })],
  "top-k": [gates["top-k"]({ k: 1 }), gates["top-k"]({ k: 2 })],
  "noisy-top-k": [gates["noisy-top-k"]({ k: 2 })],
  switch: [gates.switch(), gates.switch({ jitter: 0 })],
  "soft-slots": [gates["soft-slots"]({ slots: 2 })],
  "sigmoid-bias": [gates["sigmoid-bias"]({ k: 3 })],
  hierarchical: [gates.hierarchical({ groups: 2, groupsPerToken: 1 })],
  task: [gates.task({ experts: [3, 1, 2, 0, 1, 1, 2, 3, 0, 2] })],
  "decision-tree": [gates["decision-tree"](tree)],
} satisfies Partial<Record<conditional.GateName, readonly conditional.Gate[]>>;

function settingsOf(name: conditional.GateName): readonly conditional.Gate[] {
  return name in settings
    ? settings[name as keyof typeof settings]
    : [gates[name as Exclude<conditional.GateName, keyof typeof settings>]()];
}

type Options = Partial<conditional.MoeOptions>;

function mixture(gate: conditional.Gate, options: Options = {}): Model {
  return nn.network(data.random(3), (n) => {
    const x = n.input("x", "float32", ["batch", 3, WIDTH]);
    const ids = n.input("ids", "int64", ["batch", 3]);
    const expert = mlpExpert({ hidden: 5, activation: "Relu" });
    n.output(conditional.moeLayer(n.scope("moe"), x, { gate, expert, experts: EXPERTS, ids, ...options }), "y");
  });
}

function stepOf(model: Model) {
  return train.trainingStep(model, {
    loss: "meanSquaredError",
    ...conditional.moeTraining(model),
    optimizer: "sgd",
    output: "y",
  });
}

/** What a mixture is in training and for inference. */
async function both(model: Model) {
  return { step: stepOf(model), exported: await conditional.withoutSideOutputs(model) };
}

const choosing = gates["top-k"]({ k: 2 });

/** A gate that each dispatch can carry out. */
const gateFor: Readonly<Record<conditional.DispatchName, conditional.Gate>> = {
  dropless: choosing,
  capacity: choosing,
  dense: choosing,
  skipping: choosing,
  "by-expert": gates["expert-choice"](),
  slots: gates["soft-slots"]({ slots: 2 }),
  "moe-operator": choosing,
};

const small = { vocabulary: 11, context: 6, width: 8, depth: 2, heads: 2 } as const;

/** A feed-forward block as exporters write it. */
function dense(): Model {
  return nn.network(data.random(5), (n) => {
    const x = n.input("x", "float32", ["batch", 3, WIDTH]);
    const h = nn.linear(n.scope("in"), x, 12);
    const active = n.op("Mul", [h, n.op("Sigmoid", [h])]);
    n.output(n.op("Add", [x, nn.linear(n.scope("out"), active, WIDTH)]), "y");
  });
}

const blocks: Readonly<Record<string, () => Model>> = {
  dense,
  gpt: () => models.gpt(data.random(1), small),
  vit: () => models.vit(data.random(1), { size: 8, patch: 4, width: 12, depth: 2, heads: 2, classes: 3 }),
};

/** Training of a routed GPT, whose answers are classes. */
function routedStep(model: Model) {
  const { terms } = conditional.moeTraining(model);
  return train.trainingStep(model, {
    loss: train.crossEntropy({ axis: -1 }),
    output: "logits",
    terms,
    optimizer: "sgd",
  });
}

const expert = (hidden: number): conditional.Expert => {
  return (n, rows) => nn.linear(n.scope("out"), n.op("Tanh", [nn.linear(n.scope("in"), rows, hidden)]), 3);
};

const experts = [2, 8, 16].map(expert);

function tail(make: (n: nn.Layers, x: Value) => Value): Model {
  return nn.network(data.random(6), (n) => {
    n.output(make(n.scope("tail"), n.input("x", "float32", ["batch", WIDTH])), "y");
  });
}

export const mixtures: Cases = {
  ...each("gate", namesOf(gates), (name) => Promise.all(settingsOf(name).map((gate) => both(mixture(gate))))),
  ...each("dispatch", namesOf(dispatches), async (dispatch) => {
    const model = mixture(gateFor[dispatch], { dispatch });
    const exported = await conditional.withoutSideOutputs(model);
    return dispatch === "moe-operator" ? exported : { exported, step: stepOf(model) };
  }),
  ...each("served by", namesOf(conditional.serveOrders), (serve) =>
    both(mixture(choosing, { dispatch: conditional.capacity({ factor: 1, serve }) })),
  ),
  "a shared expert": () => both(mixture(choosing, { shared: mlpExpert({ hidden: 3 }) })),
  "by sample": () => both(mixture(choosing, { per: "sample" })),
  "every dispatch of a trained mixture": () =>
    conditional.dispatchForms(mixture(choosing), (dispatch) => mixture(choosing, { dispatch }), namesOf(dispatches)),
  ...each("GPT,", ["dropless", "skipping"] as const, async (dispatch) => {
    const model = conditional.moeGpt(data.random(2), { ...small, experts: EXPERTS, dispatch });
    return { step: routedStep(model), exported: await conditional.withoutSideOutputs(model) };
  }),
  ...each("routed by", namesOf(conditional.routeMethods), (method) =>
    Promise.all(
      Object.values(blocks).map(async (make) => {
        const routed = conditional.routeModel(make(), { experts: EXPERTS, topK: 2, method, seed: 3 });
        return { ...routed, exported: await conditional.withoutSideOutputs(routed.model) };
      }),
    ),
  ),
  ...each("cascade by", namesOf(conditional.confidences), async (confidence) => {
    const options = { experts, confidence, thresholds: [0.5, 1] };
    const hard = tail((n, x) => conditional.cascade(n, x, options));
    const soft = tail((n, x) => conditional.denseCascade(n, x, options));
    const loss = { loss: "crossEntropy", output: "y", optimizer: "sgd" } as const;
    return {
      exported: await conditional.withoutSideOutputs(hard),
      steps: [hard, soft].map((model) => train.trainingStep(model, loss)),
    };
  }),
};
