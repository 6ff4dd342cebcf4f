/** @file Decoupled targets: Zhao et al., "Decoupled knowledge distillation" (2022), arXiv:2203.08679. */
import { nth } from "../../checked.ts";
import { UsageError } from "../../errors.ts";
import type { Value } from "../../ir/index.ts";
import { checkOptions, type OptionNames } from "../../options.ts";
import { member, number, valuePairs } from "../../settings/index.ts";
import { klDivergence, type StepBuilder } from "../../train/index.ts";
import {
  checkLogits,
  checkLoss,
  checkTemperature,
  type DistillationLoss,
  dimsOf,
  type PairOptions,
} from "./distillation-loss.ts";

export interface DecoupledOptions extends Partial<PairOptions> {
  /** T, which softens both distributions; 4 by default, as published. */
  readonly temperature?: number;
  /** α, the factor of the part about the labelled class against all others; 1 by default. */
  readonly target?: number;
  /** β, the factor of the part about the others among themselves; 8 by default, as published for CIFAR-100. */
  readonly others?: number;
}

const decoupledOptionsNames: OptionNames<DecoupledOptions> = {
  temperature: true,
  target: true,
  others: true,
  pairs: true,
  weight: true,
};

/**
 * T² · (α · KL(b_t ‖ b_s) + β · KL(p̂_t ‖ p̂_s)), mean over the samples, of logits [N, classes]: b is the probability of the labelled class
 * and of all others together, p̂ the distribution over the others alone. Ordinary soft targets weigh the second part by the teacher's doubt,
 * so that a sure teacher teaches little. Needs class indices as labels. (DKD)
 */
export function decoupledTargets(options: DecoupledOptions = {}): DistillationLoss {
  checkOptions(options, decoupledOptionsNames);
  const { temperature = 4, target = 1, others = 8, weight = 1, pairs } = options;
  checkLoss("decoupledTargets", options);
  checkTemperature(temperature);
  return {
    name: "decoupledTargets",
    weight,
    ...(pairs && { pairs }),
    build(g, teacher, student, { labels }) {
      checkLogits("decoupledTargets", teacher, student);
      const chosen = labelled(g, student, labels());
      const [t, s] = [g.div(teacher, temperature), g.div(student, temperature)];
      const binary = klRows(g, split(g, t, chosen), split(g, s, chosen));
      const far = g.mul(chosen, -1000);
      const rest = klDivergence({ axis: 1 }).build(g, g.add(s, far), g.softmax(g.add(t, far), 1));
      return g.mul(g.add(g.mul(binary, target), g.mul(rest, others)), temperature ** 2);
    },
  };
}

member(decoupledTargets, {
  temperature: number(),
  target: number(),
  others: number(),
  pairs: valuePairs(),
  weight: number(),
});

/** 1 at the class of each sample, else 0: [N, classes]. */
function labelled(g: StepBuilder, student: Value, labels: Value): Value {
  const dims = dimsOf(student);
  const type = student.type?.kind === "tensor" ? student.type.dtype : "float32";
  const isIndex = labels.type?.kind === "tensor" && labels.type.dtype === "int64" && labels.type.dims?.length === 1;
  if (dims.length !== 2 || typeof dims[1] !== "number" || !isIndex) {
    throw new UsageError("decoupledTargets reads logits [batch, classes] and one class index for each sample", {
      got: `logits [${dims.join(", ")}], labels [${(labels.type?.kind === "tensor" && labels.type.dims?.join(", ")) || "?"}]`,
    });
  }
  const classes = g.ints(Array.from({ length: dims[1] }, (_, i) => i));
  return g.mask(g.equal(g.unsqueeze(labels, [1]), classes), type);
}

/** Probabilities of the labelled class and of the others together: [N, 1] each. */
function split(g: StepBuilder, x: Value, chosen: Value): readonly [Value, Value] {
  const p = g.softmax(x, 1);
  const own = g.sum(g.mul(p, chosen), [1], true);
  const others = g.sum(g.mul(p, g.sub(1, chosen)), [1], true);
  return [own, others];
}

/** Σ p · (log p − log q) over the parts, mean over the samples. */
function klRows(g: StepBuilder, p: readonly Value[], q: readonly Value[]): Value {
  const log = (x: Value) => g.log(g.max(x, 1e-30));
  const terms = p.map((each, i) => g.mul(each, g.sub(log(each), log(nth(q, i)))));
  return g.mean(terms.reduce((sum, term) => g.add(sum, term)));
}
