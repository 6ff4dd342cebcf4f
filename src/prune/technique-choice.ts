/** @file Pruning as a technique: narrower layers, or zeros in weights. */
import * as z from "zod";
import { type Condition, fieldsOf, only } from "../settings/index.ts";
import { type Asked, defineTechnique, type Evidence } from "../technique/index.ts";
import { criteria } from "./criteria/index.ts";
import { requireData } from "./evidence-of-run.ts";
import {
  checkSparse,
  isSparsifying,
  narrowing,
  planSparse,
  runSparse,
  type SparseEvidence,
  sparseSections,
  sparseSettings,
} from "./sparse-technique.ts";
import { pruneTechnique as narrower } from "./technique.ts";

type Shape = typeof narrower.settings.shape;

/** What zeros have a use for, too. */
const shared = ["criterion", "ranking", "exclude", "rounds"] as const;

type OnlyNarrower = { [K in keyof Shape]: K extends (typeof shared)[number] ? Shape[K] : z.ZodExactOptional<Shape[K]> };

const settings = z.strictObject({ ...onlyNarrower(), ...sparseSettings });

/** The settings of narrower layers: all others are refused beside zeros. */
function onlyNarrower(): OnlyNarrower {
  const known = new Set<string>(shared);
  const told = fieldsOf(narrower.settings).map(({ name, schema, facts: { condition } }) => [
    name,
    known.has(name) ? schema : only(condition ? both(condition, narrowing) : narrowing, schema),
  ]);
  return Object.fromEntries(told) as OnlyNarrower;
}

function both(first: Condition, second: Condition): Condition {
  return {
    label: first.label,
    expected: `${first.expected}, and ${second.expected}`,
    got: (values) => (first.holds(values) ? second : first).got(values),
    holds: (values) => first.holds(values) && second.holds(values),
  };
}

type PruneSettings = z.output<typeof settings>;

export const pruneTechnique = defineTechnique({
  ...narrower,
  settings,

  check(own) {
    if (!isSparsifying(own)) return narrower.check({ ...ofNarrower(own), ...askedOf(own) });
    requireData(criteria[own.criterion], own.data);
    checkSparse(own);
  },

  plan: (model, own) => (isSparsifying(own) ? planSparse(model, own) : narrower.plan(model, ofNarrower(own))),

  run: (model, own, context): Promise<Evidence | SparseEvidence> =>
    isSparsifying(own) ? runSparse(model, own, context) : narrower.run(model, ofNarrower(own), context),

  sections(evidence, own, comparison) {
    if (!("zeros" in evidence)) return narrower.sections(evidence as NarrowEvidence, ofNarrower(own), comparison);
    const { facts, ...parts } = sparseSections(evidence as SparseEvidence);
    const chosen = [
      ["criterion", own.criterion],
      ["ranking", own.ranking],
    ] as const;
    return { verdict: evidence.sentence, ...parts, facts: [...facts, ...chosen] };
  },
});

type NarrowEvidence = Awaited<ReturnType<typeof narrower.run>>;

/** The settings of narrower layers, with what they are where nobody says. */
function ofNarrower(own: PruneSettings): z.output<typeof narrower.settings> {
  return narrower.settings.parse(
    Object.fromEntries(Object.entries(own).filter(([name]) => Object.hasOwn(narrower.settings.shape, name))),
  );
}

function askedOf({ data, finetune }: Asked): Asked {
  return { ...(data !== undefined && { data }), ...(finetune !== undefined && { finetune }) };
}
