/** @file Passes that are verified after every run. */
import { InvalidModelError } from "../errors.ts";
import { type Model, verify } from "../ir/index.ts";
import type { Pass } from "./pass.ts";

/**
 * The same pass, whose result is verified against the invariants of the IR.
 * @throws InvalidModelError that names the pass, when it broke an invariant that its input kept.
 */
export function checked(pass: Pass): Pass {
  return {
    ...pass,
    async run(model) {
      const result = await pass.run(model);
      if (result.model !== model) assertUnbroken(pass, model, result.model);
      return result;
    },
  };
}

function assertUnbroken(pass: Pass, before: Model, after: Model): void {
  const [first, ...others] = verify(after);
  if (!first || verify(before).length > 0) return;
  throw new InvalidModelError(`pass "${pass.name}" broke the model: ${first.message}`, {
    expected: first.rule,
    where: first.where,
    ...(others.length > 0 ? { hint: `${others.length} more violations follow.` } : {}),
  });
}
